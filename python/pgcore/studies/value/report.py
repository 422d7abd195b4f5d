"""Figures and table of a value study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_value(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder."""
    from pgcore.studies.style import save_figure
    from pgcore.studies.value.figures import value_figure, variance_figure
    from pgcore.studies.value.table import value_table

    save_figure(value_figure(data), out / "value_errors")
    if "gram" in data:
        save_figure(variance_figure(data), out / "variance")
    finish_report(out, value_table(data), data)
