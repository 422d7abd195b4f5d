"""What tells agents apart in a store."""

from __future__ import annotations

import re
from collections.abc import Iterable

MADE_AS = ", agent "  # in an identity, before what an older pgcore did not tell

TARGET = " towards"  # behind a moment's name: another agent, to which a direction leads
_NAME = re.compile(r"(?P<label>.*)/(?P<iteration>\d+)(?: from trial (?P<first>\d+))?", re.DOTALL)


def moment_name(label: str, iteration: int, first: int = 0) -> str:
    """What a store calls a moment: ``label/iteration``, and its first trial if that is not 0."""
    return f"{label}/{iteration}" + (f" from trial {first}" if first else "")


def named_moment(name: str) -> tuple[str, int, int]:
    """(label, iteration, first trial) of :func:`moment_name`; ValueError if it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"moments: expected label/iteration, got {name!r}")
    return found["label"], int(found["iteration"]), int(found["first"] or 0)


def same_identity(a: str, b: str) -> bool:
    """Whether two identities of moments may be of one; an older pgcore's says less."""
    (arrays, _, rest), (others, _, others_rest) = a.partition(MADE_AS), b.partition(MADE_AS)
    return arrays == others and (rest == others_rest or not rest or not others_rest)


def fullest(identity: str, told: Iterable[str]) -> str:
    """What is told of the same moment at most; the identity itself if that may be several."""
    if MADE_AS in identity:
        return identity
    more = {t for t in told if MADE_AS in t and same_identity(t, identity)}
    return more.pop() if len(more) == 1 else identity
