"""Figures and table of a gradient study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_gradient(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder."""
    from pgcore.studies.gradient.figures import gradient_figure, measured_kinds
    from pgcore.studies.gradient.table import gradient_table
    from pgcore.studies.style import save_figure

    for kind in measured_kinds(data):
        save_figure(gradient_figure(data, kind), out / f"{kind}_quality")
    finish_report(out, gradient_table(data), data)
