"""How much memory there is, and the refusal of what cannot fit into it."""

from __future__ import annotations

import os
from pathlib import Path

_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of cgroups, version 2 and 1


def memory_bytes(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory that this process may use: the machine's, or its cgroup's."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in _LIMITS:
        try:
            found.append(int((root / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(found)


def check_memory(name: str, value: object, needed: float, advice: str) -> None:
    """ValueError if more bytes are needed than there are.

    Args:
        name, value: of the argument that asks for them.
        needed: bytes.
        advice: what to do instead.
    """
    if needed < 1e8:  # the common case costs nothing
        return
    there = memory_bytes()
    if needed > there:
        raise ValueError(
            f"{name}: expected what fits into the memory here ({there / 2**30:.3g} GiB), got "
            f"{value}, which needs about {needed / 2**30:.3g} GiB; {advice}"
        )
