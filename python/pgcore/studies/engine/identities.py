"""What tells agents apart in a store."""

from __future__ import annotations

MADE_AS = ", agent "  # in an identity, before what an older pgcore did not tell


def same_identity(a: str, b: str) -> bool:
    """Whether two identities of moments may be of one; an older pgcore's says less."""
    (arrays, _, rest), (others, _, others_rest) = a.partition(MADE_AS), b.partition(MADE_AS)
    return arrays == others and (rest == others_rest or not rest or not others_rest)
