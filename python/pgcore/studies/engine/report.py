"""What every study's report does."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

_SAID = {"imported": "imported agents", "hidden_state": "hidden state"}


def finish_report(out: Path, table: str, data: xr.Dataset) -> None:
    """Store the table beside the figures, with what is said of the agents, and print it."""
    table = table + "".join(f"{line}\n" for line in agent_remarks(data))
    (out / "summary.txt").write_text(table)
    figures = sorted(p.name for p in out.iterdir() if p.suffix in (".png", ".html"))
    print(f"{table}\n{out}: {', '.join(figures)}, summary.txt, datasets")


def agent_remarks(data: xr.Dataset) -> list[str]:
    """What limits every number of a study: how its agents were imported, what they do not see."""
    return [f"{text}: {data.attrs[name]}" for name, text in _SAID.items() if name in data.attrs]
