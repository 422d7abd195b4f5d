"""What tells agents apart in a store."""

from __future__ import annotations

from collections.abc import Iterable

MADE_AS = ", agent "  # in an identity, before what an older pgcore did not tell


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
