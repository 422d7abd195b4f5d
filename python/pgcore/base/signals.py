"""What asks a command to stop, and how it takes that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, and what schedulers send ahead of a time limit
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """Let a scheduler's signals end the work as Ctrl-C does, where nobody has said otherwise."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()  # no other may set them
    unset = [n for n in STOP_SIGNALS if main and signal.getsignal(n) is signal.SIG_DFL]
    for number in unset:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number in unset:
            signal.signal(number, signal.SIG_DFL)
