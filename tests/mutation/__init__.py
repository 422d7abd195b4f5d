"""Mutation runs: small faults are put into a copy of the code, and the tests must see them.

From the folder `tests`, in an environment with the extra "mutation":

    python -m mutation.rooms   # Python rooms of pure arithmetic, by mutmut
    python -m mutation.core    # a fixed list of edits of the C++ core
"""
