"""What tells agents apart in a store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MADE_AS = ", agent "  # in an identity, before what an older pgcore did not tell
OF_RUN = ", run "  # behind that, what the run's checkpoints have in common

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
    (arrays, made, run), (others, other_made, other_run) = _parts(a), _parts(b)
    return arrays == others and _agree(made, other_made) and _agree(run, other_run)


def of_another_run(name: str, identity: str, told: Mapping[str, str]) -> str | None:
    """The moment of the same agents at another iteration that a store has of another run, if any.

    Args:
        name, identity: of a moment.
        told: identities by name; an older pgcore's say no run.
    """
    own, run = _NAME.fullmatch(name), _parts(identity)[2]
    for other, its in told.items():
        there = _NAME.fullmatch(other)
        if (
            own is None
            or there is None
            or own.group("label", "first") != there.group("label", "first")
        ):
            continue
        if not _agree(run, _parts(its)[2]):
            return other
    return None


def _parts(identity: str) -> tuple[str, str, str]:
    """Arrays, agent and run of an identity; "" for what it does not say."""
    arrays, _, rest = identity.partition(MADE_AS)
    made, _, run = rest.partition(OF_RUN)
    return arrays, made, run


def _agree(a: str, b: str) -> bool:
    return a == b or not a or not b


def fullest(identity: str, told: Iterable[str]) -> str:
    """What is told of the same moment at most; the identity itself if that may be several."""
    same = {t for t in (*told, identity) if same_identity(t, identity)}
    known = {t: sum(map(bool, _parts(t))) for t in same}
    most = [t for t in same if known[t] == max(known.values())]
    return most[0] if len(most) == 1 else identity
