"""Figures and table of a curvature study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_curvature(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder: a figure per matrix and n."""
    from pgcore.studies.curvature.figures import curvature_figure
    from pgcore.studies.curvature.table import curvature_table
    from pgcore.studies.style import save_figure

    for n in data["n"].values:
        for matrix in data["matrix"].values:
            figure = curvature_figure(data, str(matrix), int(n))
            save_figure(figure, out / f"curvature-{matrix}-{n}")
    finish_report(out, curvature_table(data), data)
