"""Quotations of the verdicts on the paper's claims, from claims.json."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import xarray as xr
from pack import study

from quoted.writing import interval, number, span, table

TASKS = {"Hopper-v2": "Hopper", "Walker2d-v2": "Walker2d", "Humanoid-v2": "Humanoid"}


def claims(results: Path) -> dict[str, str]:
    """A table of verdicts, and one of the numbers behind them."""
    rows = json.loads((results / "claims.json").read_text())
    by = {(r["claim"], r["task"], r["algorithm"]): r for r in rows}
    names = {r["claim"]: r["says"] for r in rows}
    short = [
        [name, says, *(_cell(by[name, t, "ppo"], by[name, t, "trpo"]) for t in TASKS)]
        for name, says in names.items()
    ]
    head = ["", "the paper's claim", *TASKS.values()]
    measured = [_numbers(row, part) for row in rows for part in row["parts"]]
    columns = [
        "",
        "agents",
        "what",
        "number [95 %]",
        "trials",
        "claimed",
        "these agents",
        "resolves",
    ]
    tested = sum(row["verdict"] != "untested" for row in rows)
    decided = sum(row["verdict"] in ("holds", "fails") for row in rows)
    return {
        "verdicts": table(head, short),
        "numbers": table(columns, measured),
        "count": f"{tested} of {len(rows)} are measured and {decided} decided",
        "split": span(
            [_halves(study(f"{t}-trials-gradient", results)) for t in ("hopper", "walker")]
        ),
    }


def _halves(data: xr.Dataset) -> xr.DataArray:
    """Cosines of the true gradient's halves after the start, medians over trials."""
    late = data["split_half_cosine"].sel(iteration=data["iteration"] > 0)
    return late.median("trial")


def _cell(ppo: dict[str, Any], trpo: dict[str, Any]) -> str:
    """Verdicts of both algorithms, in brackets what these agents show."""
    words = [_word(row) for row in (ppo, trpo)]
    return words[0] if words[0] == words[1] else f"PPO {words[0]}, TRPO {words[1]}"


def _word(row: dict[str, Any]) -> str:
    if row["verdict"] == "undecided" and row["describes"] != "undecided":
        return f"undecided ({row['describes']} here)"
    return str(row["verdict"])


def _ends(ends: tuple[float, float, float], digits: int) -> str:
    """With its interval, where there are any."""
    if math.isnan(ends[0]):
        return "not measured"
    return number(ends[0], digits) if math.isnan(ends[1]) else interval(ends, digits)


def _numbers(row: dict[str, Any], part: dict[str, Any]) -> list[str]:
    value, low, high, far = (float(part[k]) for k in ("value", "low", "high", "resolves"))
    digits = 0 if abs(value) >= 100 else 2
    return [
        row["claim"],
        f"{TASKS[row['task']]} {row['algorithm'].upper()}",
        part["what"],
        _ends((value, low, high), digits),
        str(part["trials"]),
        part["rule"],
        part["says"] if part["judged"] else f"({part['says']})",
        number(far, 0 if far >= 100 else 2) if math.isfinite(far) else "-",
    ]
