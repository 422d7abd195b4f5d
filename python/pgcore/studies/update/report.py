"""Figures and table of an update study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_update(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder: a figure per iteration and n."""
    from pgcore.studies.style import save_figure
    from pgcore.studies.update.figures import update_figure
    from pgcore.studies.update.table import update_table

    for iteration in data["iteration"].values:
        for n in data["n"].values:
            name = f"update-{iteration}-{n}"
            save_figure(update_figure(data, int(iteration), int(n)), out / name)
            discounted = update_figure(data, int(iteration), int(n), "discounted")
            save_figure(discounted, out / f"{name}-discounted")
    finish_report(out, update_table(data), data)
