"""Figure and table of a variance study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_variance(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder."""
    from pgcore.studies.style import save_figure
    from pgcore.studies.variance.figures import budget_figure
    from pgcore.studies.variance.table import variance_table

    save_figure(budget_figure(data), out / "variance_budget")
    finish_report(out, variance_table(data), data)
