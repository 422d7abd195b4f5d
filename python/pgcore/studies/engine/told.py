"""What a store says of its agents and of what computed it, as more of them come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXTS = {"warm_up": "; ", "imported": ". ", "cpu": " and "}  # and what stands between two


def told_more(known: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a store that a later call changes: nothing that is known gets lost.

    Args:
        known: the store's.
        more: the call's, of its own agents and installation.
    """
    changed: dict[str, Any] = {}
    seeds = {**known.get("seeds", {}), **more.get("seeds", {})}
    if seeds.keys() != known.get("seeds", {}).keys():
        changed["seeds"] = seeds
    lines = [str(told.get("trials_left_out", "")).split("; ") for told in (known, more)]
    left_out = "; ".join(dict.fromkeys(line for each in lines for line in each if line))
    if left_out != known.get("trials_left_out", ""):
        changed["trials_left_out"] = left_out
    versions = {name: " and " for name in more if name.startswith("version_")}
    for name, between in (_TEXTS | versions).items():
        before, text = (str(told.get(name, "")) for told in (known, more))
        if text in before:
            continue
        changed[name] = text if before in text else f"{before}{between}{text}"
    return changed
