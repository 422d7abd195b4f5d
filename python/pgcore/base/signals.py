"""What asks a command to stop, and how it takes that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# Ctrl-C, and what schedulers send ahead of a time limit
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """Let a scheduler's signals end the work as Ctrl-C does, where nobody has said otherwise."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):  # of a terminal that is gone
            os.write(2, b"\nstopping\n")  # at once: what is in work may take a while to end
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()  # no other may set them
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {n: signal.getsignal(n) for n in STOP_SIGNALS if main}
    unset = {n: handler for n, handler in before.items() if handler in usual}
    for number in unset:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in unset.items():
            signal.signal(number, handler)
