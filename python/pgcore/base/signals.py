"""What asks a command to stop, and how it takes that."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# Ctrl-C, what schedulers send ahead of a time limit, and a terminal that closes
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
STOPPED = 130  # exit status where it was asked to stop
INTERRUPTED = "interrupted; what was finished is on disk"
NOTHING_WRITTEN = "interrupted; nothing was written"


def _say(line: str) -> None:
    """Write a line to stderr past Python's buffers, which a signal may have come into."""
    with suppress(OSError):  # of a terminal that is gone
        os.write(2, f"\n{line}\n".encode())


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded there.

    An exception in it may come out as another one, or be taken for a package that is not there.
    """
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def left_by_terminal(number: int) -> None:
    """What is said after a terminal's end goes nowhere, instead of failing.

    Args:
        number: of the signal that came.
    """
    if number != signal.SIGHUP:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with suppress(OSError):  # of one that was closed
            if stat.S_ISCHR(os.fstat(stream).st_mode):  # not a file or a pipe
                os.dup2(nowhere, stream)
    os.close(nowhere)


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """Let these signals end the work as Ctrl-C does, where nobody has said otherwise.

    One that is ignored, as SIGHUP is under `nohup`, stays so.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        left_by_terminal(number)
        _say("stopping")  # at once: what is in work may take a while to end
        if _importing(frame):
            _say(INTERRUPTED)
            os._exit(STOPPED)
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
