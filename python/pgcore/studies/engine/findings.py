"""What a study gives a report beside its figures: answers, tidy tables, and what limits them.

Every number knows its variable and its coordinates, so that a reader can find it in the dataset,
and a test can compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# the questions of the package, by the name that a study's row has for them, and what is left
CHAPTERS = {
    "gradient": "How good are the gradient estimates?",
    "value": "Does the value network predict value?",
    "landscape": "Does the surrogate's landscape look like the true reward's?",
    "further": "Further",
}


@dataclass(frozen=True)
class Number:
    """A number of a dataset with its interval.

    Attributes:
        value: NaN: not known; with finite ends, the two ends are a range.
        low, high: ends of the interval, NaN where there is none.
        variable: of the dataset.
        at: coordinates of it there.
        how: what was made of the variable at these coordinates; "": it is there as it is.
        digits: behind the point; None: three significant ones.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    variable: str = ""
    at: Mapping[str, Any] = field(default_factory=dict)
    how: str = ""
    digits: int | None = None

    @property
    def known(self) -> bool:
        """Whether there is anything to say."""
        return not (math.isnan(self.value) and math.isnan(self.low))

    @property
    def key(self) -> float:
        """What a table is sorted by."""
        return self.low if math.isnan(self.value) else self.value

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def text(self) -> str:
        """With its interval: ``0.04 [-0.02, 0.10]``; a range is ``0.1 to 0.9``."""
        value, low, high = self.texts()
        if math.isnan(self.value):
            return "-" if not self.known else low if low == high else f"{low} to {high}"
        return value + (f" [{low}, {high}]" if self.has_interval else "")

    def texts(self) -> tuple[str, str, str]:
        """Value, low and high; an interval has two significant digits, and its value as many.

        More where it would read 0, and cannot be negative.
        """
        digits, width = self.digits, self.high - self.low
        if digits is None and 0 < width < math.inf and self._largest < 1e5:
            digits = max(0, 1 - math.floor(math.log10(width)))
            if self.low >= 0 and 0 < self.value < width / 20:  # what differs by factors is no 0
                digits = max(digits, min(3, 1 - math.floor(math.log10(self.value))))
        value, low, high = (number_text(x, digits) for x in (self.value, self.low, self.high))
        return value, low, high

    @property
    def _largest(self) -> float:
        return max(abs(self.low), abs(self.high))


def number_text(x: float, digits: int | None = None) -> str:
    """A number with some digits behind the point, or with three significant ones."""
    if not math.isfinite(x):
        return "-" if math.isnan(x) else "inf" if x > 0 else "-inf"
    if digits is None and x and not 1e-3 <= abs(x) < 1e5:
        return f"{x:.1e}"
    if digits is None:
        size = math.floor(math.log10(abs(x))) if x else 2
        digits = 0 if x == int(x) else max(0, 2 - size)
    text = f"{x:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


@dataclass(frozen=True)
class Answer:
    """One to three sentences that answer a study's question.

    Attributes:
        parts: texts and numbers, in order.
        unit: a sentence: what was sampled, and what the intervals are over.
    """

    parts: Sequence[str | Number]
    unit: str

    def text(self) -> str:
        """The sentences."""
        said = (p if isinstance(p, str) else p.text() for p in self.parts)
        return "".join(said)


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        title: its heading, short.
        variable: of the dataset.
        digits: see :class:`Number`.
        at: coordinates that are the same in all rows.
        unit, meaning: from the dataset where they are empty.
    """

    title: str
    variable: str
    digits: int | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    meaning: str = ""

    def number(self, ends: Sequence[float], at: Mapping[str, Any], how: str = "") -> Number:
        """A number of it: value, low and high, at coordinates that hold its own already."""
        value, low, high = ends
        return Number(value, low, high, self.variable, at, how, self.digits)


@dataclass(frozen=True)
class Table:
    """Rows of names and numbers.

    Attributes:
        name: of its file, within the study.
        title: what it says, and what its intervals are over.
        index: headings of the first columns, whose cells are texts or integers.
        columns: of the others.
        rows: of each, its places and its numbers.
        main: whether a reader sees it at once, or opens it.
    """

    name: str
    title: str
    index: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[tuple[Sequence[Any], Sequence[Number]]]
    main: bool = True


@dataclass(frozen=True)
class Findings:
    """What a report says of a study beside its figures.

    Attributes:
        answers: to its question.
        tables: tidy.
        limits: sentences about what limits the answers, which the report cannot know itself.
        surfaces: figures of Plotly that can be turned.
    """

    answers: Sequence[Answer] = ()
    tables: Sequence[Table] = ()
    limits: Sequence[str] = ()
    surfaces: Sequence[Any] = ()
