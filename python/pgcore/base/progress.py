"""How far long work has come: a bar on a terminal, plain lines elsewhere.

Work that is one unit to the outside can tell of its inside by :func:`count_pairs`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 30.0  # between two plain lines
Count = Callable[[int], None]


class Progress:
    """What is done of a total, on stderr. Threads may tell of their work at any time.

    What cannot be written, as to a pipe that nobody reads any more, is left out: no work fails by
    it.
    """

    def __init__(
        self, title: str, total: int, done: int = 0, *, unit: str, scaled: bool = False
    ) -> None:
        """Begin to show.

        Args:
            title: of the work.
            total: units, of which ``done`` are there already.
            unit: of the numbers.
            scaled: numbers are large, and shown as 1.2M.
        """
        self.title, self.total, self.done, self._begun = title, total, done, done
        self._unit, self._scaled, self._note = unit, scaled, ""
        self._lock, self._start = threading.Lock(), time.monotonic()
        self._shown: tuple[float, int] | None = None  # when, and what, the last line told
        self._bar: Any = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total, initial=done, desc=title, unit=unit, unit_scale=scaled, file=sys.stderr
            )

    def update(self, units: int = 1, note: str | None = None) -> None:
        """Tell of further units, and of the last number that is worth a word."""
        with self._lock, contextlib.suppress(OSError):
            self.done += units
            self._note = self._note if note is None else note
            if self._bar is not None:
                if note is not None:
                    self._bar.set_postfix_str(note, refresh=False)
                self._bar.update(units)
            elif self._shown is None or time.monotonic() - self._shown[0] >= LINE_SECONDS:
                self._line()

    def write(self, text: str) -> None:
        """A line of its own."""
        with self._lock, contextlib.suppress(OSError):
            if self._bar is not None:
                self._bar.write(text, file=sys.stderr)
            else:
                print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Show where it ended."""
        with self._lock, contextlib.suppress(OSError):
            if self._bar is not None:
                self._bar.close()
            elif self._shown is None or self._shown[1] != self.done:
                self._line()

    def _line(self) -> None:
        self._shown = time.monotonic(), self.done
        print(self.text(), file=sys.stderr, flush=True)

    def text(self) -> str:
        """The line: count, share, time that went and is left, and the last number."""
        seconds, made = time.monotonic() - self._start, self.done - self._begun
        numbers = (self.done, self.total)
        done, total = (tqdm.format_sizeof(n) if self._scaled else str(n) for n in numbers)
        share = 100 * self.done / self.total if self.total else 100.0
        text = f"{self.title}: {done} of {total} {self._unit} ({share:.1f} %)"
        text += f", {tqdm.format_interval(seconds)} elapsed"
        if made and self.done < self.total:
            left = seconds / made * (self.total - self.done)
            text += f", {tqdm.format_interval(left)} left"
        return text + (f", {self._note}" if self._note else "")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_count: ContextVar[Count | None] = ContextVar("count", default=None)


@contextmanager
def counted(count: Count | None) -> Iterator[None]:
    """Let ``count`` get the state-action pairs of this thread's simulations as they are made.

    It is called from any thread, changes no number, and must not raise.
    """
    token = _count.set(count)
    try:
        yield
    finally:
        _count.reset(token)


def count_pairs(pairs: int) -> None:
    """Tell whoever counts that so many state-action pairs were simulated; native calls do, too."""
    count = _count.get()
    if count is not None:
        count(pairs)
