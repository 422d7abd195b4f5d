"""Figures and table of a value study, from its datasets alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_value(data: dict[str, xr.Dataset], out: Path) -> None:
    """Write them into a folder."""
    from pgcore.studies.style import save_figure
    from pgcore.studies.value.figures import value_figure, value_table, variance_figure

    save_figure(value_figure(data["errors"]), out / "value_errors")
    if "variance" in data:
        save_figure(variance_figure(data["variance"]), out / "variance")
    finish_report(out, value_table(data))
