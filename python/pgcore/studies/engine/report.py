"""What every study's report does."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.base.files import write_atomically
from pgcore.studies.engine.reading import LEFT_OUT

_PARTS = ("pairs", "part")  # of a landscape's reward
_SAID = {
    "imported": "imported agents",
    "hidden_state": "hidden state",
    "trials_left_out": "trials left out",
}


def finish_report(out: Path, table: str, data: xr.Dataset) -> None:
    """Store the table beside the figures, with what is said of the agents, and print it."""
    table = table + "".join(f"{line}\n" for line in agent_remarks(data))
    write_atomically(out / "summary.txt", table.encode())
    figures = sorted(p.name for p in out.iterdir() if p.suffix in (".png", ".html"))
    print(f"{table}\n{out}: {', '.join(figures)}, summary.txt, datasets")


def agent_remarks(data: xr.Dataset) -> list[str]:
    """What limits every number of a study: how its agents were imported, what they do not see.

    And which of them have no numbers, and why.
    """
    said = [f"{text}: {data.attrs[name]}" for name, text in _SAID.items() if data.attrs.get(name)]
    return said + [f"left out: {line}" for line in cells_left_out(data)]


def cells_left_out(data: xr.Dataset) -> list[str]:
    """A line for what has no numbers: where, and the reason; one for all parts of a map."""
    lines = []
    for left in data.attrs.get(LEFT_OUT, []):
        place = (f"{name} {value}" for name, value in left["cell"].items() if name not in _PARTS)
        lines.append(f"{', '.join(place)}: {left['reason']}")
    return list(dict.fromkeys(lines))
