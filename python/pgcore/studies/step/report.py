"""Figures and table of a step study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_step(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder."""
    from pgcore.studies.step.claims_table import claims
    from pgcore.studies.step.figures import step_figure
    from pgcore.studies.step.table import step_table
    from pgcore.studies.style import save_figure

    save_figure(step_figure(data), out / "steps")
    save_figure(step_figure(data, "discounted"), out / "steps_discounted")
    finish_report(out, step_table(data) + "\n" + claims(data), data)
