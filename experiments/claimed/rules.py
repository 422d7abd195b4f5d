"""When a claim holds, fails or stays undecided: rules over trials, and what they could have seen.

A claim has parts. A part is a number with its 95 % interval over trials and a rule about it. The
claim holds if all its parts do, fails if one does, and is undecided otherwise; of fewer than six
trials it is undecided, whatever they say, and what they say is a description.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from scipy import stats
from scipy.optimize import brentq

from pgcore.studies.measures.differences import TRIALS_TO_DECIDE

POWER = 0.8
Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Rule:
    """An interval that a number should lie in, with the whole of its own.

    Attributes:
        low, high: of the interval that the claim says; infinite where it has no such end.
        by_factors: whether the number is one that differs by factors.
    """

    low: float = -math.inf
    high: float = math.inf
    by_factors: bool = False

    def says(self, ends: Ends) -> str:
        """``holds``, ``fails`` or ``undecided``, as is a number that has no interval."""
        _, low, high = ends
        if math.isnan(low) or math.isnan(high):
            return "undecided"
        above = math.isinf(self.low) or self.low < low
        below = math.isinf(self.high) or high < self.high
        if above and below:
            return "holds"
        return "fails" if high <= self.low or low >= self.high else "undecided"

    def text(self) -> str:
        """In words."""
        if math.isinf(self.low):
            return f"below {self.high:g}"
        if math.isinf(self.high):
            return f"above {self.low:g}"
        return f"between {self.low:g} and {self.high:g}"


@cache
def _widths_to_decide(free: int) -> float:
    """Half widths of Student's 95 % interval that a truth must be off to be decided so often.

    The shift of a noncentral t with so many degrees of freedom, over the bound of the central one.
    """
    bound = float(stats.t.ppf(0.975, free))
    shift = brentq(lambda d: stats.nct.sf(bound, free, d) - POWER, 0.0, 10 * bound)
    return float(shift) / bound


@dataclass(frozen=True)
class Part:
    """A number of a claim.

    Attributes:
        title: what it is.
        ends: it, and its 95 % interval over trials; NaN where there is one trial.
        trials: the number of these.
        rule: what the claim says of it.
        against: the number and interval by which it fails, where that is another one; NaN where
            it cannot fail by what was measured.
        judged: whether the claim is judged by it, or it is told beside it.
    """

    title: str
    ends: Ends
    trials: int
    rule: Rule
    against: Ends | None = None
    judged: bool = True

    @property
    def says(self) -> str:
        """What the rule gives, however few the trials."""
        found = self.rule.says(self.ends)
        if self.against is None:
            return found
        fails = self.rule.says(self.against) == "fails"
        return found if found == "holds" else "fails" if fails else "undecided"

    @property
    def resolves(self) -> float:
        """How far from a bound of the rule the truth must be to be decided 4 times of 5.

        With as many trials that scatter as these; a factor where the rule is one by factors; NaN
        where there is no finite interval, or the part fails by another number than it holds by.
        """
        if self.against is not None and not math.isnan(self.against[0]):
            return math.nan
        _, low, high = self.ends
        if self.rule.by_factors:
            low, high = (math.log(x) if x > 0 else -math.inf for x in (low, high))
        if self.trials < 2 or not math.isfinite(high - low):
            return math.nan
        distance = (high - low) / 2 * _widths_to_decide(self.trials - 1)
        return math.exp(distance) if self.rule.by_factors else distance

    def plain(self) -> dict[str, Any]:
        """For JSON: six digits, which a sum in another order leaves; what is not finite a text."""
        value, low, high, far = (
            float(f"{x:.6g}") if math.isfinite(x) else str(x) for x in (*self.ends, self.resolves)
        )
        return {
            "what": self.title,
            "value": value,
            "low": low,
            "high": high,
            "trials": self.trials,
            "rule": self.rule.text(),
            "judged": self.judged,
            "says": self.says,
            "resolves": far,
        }


def verdict(parts: Sequence[Part]) -> str:
    """``holds``, ``fails``, ``undecided`` or ``untested``, of all parts of a claim."""
    if not parts:
        return "untested"
    decides = min(part.trials for part in parts if part.judged) >= TRIALS_TO_DECIDE
    return describes(parts) if decides else "undecided"


def describes(parts: Sequence[Part]) -> str:
    """The same, of the agents that were measured and no others."""
    if not parts:
        return "untested"
    found = {part.says for part in parts if part.judged}
    return "fails" if "fails" in found else "holds" if found == {"holds"} else "undecided"
