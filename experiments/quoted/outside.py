"""What the check from outside found, of `independent.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from quoted.writing import significant, table


def outside(results: Path) -> dict[str, str]:
    """Every number as it is stored and as it was found again."""
    rows = json.loads((results / "independent" / "compared.json").read_text())
    lines = [
        [
            row["task"],
            name.replace("|g|^2", "the squared norm"),  # a bar would end the cell
            significant(number["stored"], 3),
            f"{significant(number['found'], 3)} ± {significant(number['error'])}",
            f"{number['apart']:+.1f}",
        ]
        for row in rows
        for name, number in row["numbers"].items()
    ]
    apart = np.array([number["apart"] for row in rows for number in row["numbers"].values()])
    return {
        "table": table(["task", "number", "stored", "from outside", "apart, in errors"], lines),
        "beyond": f"{(np.abs(apart) > 2).sum()} of {len(apart)}",
        "most": f"{np.abs(apart).max():.1f}",
    }
