"""Figures and table of a sample regime study, from its dataset alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_regime(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder: a figure per share at which agents were measured, and curves."""
    from pgcore.studies.regime.figures import curves_figure, measured_shares, regime_figure
    from pgcore.studies.regime.table import regime_table
    from pgcore.studies.style import save_figure

    shares = measured_shares(data)
    save_figure(regime_figure(data, shares[-1] if shares else None), out / "regime")
    for share in shares[:-1]:
        save_figure(regime_figure(data, share), out / f"regime-{share:g}")
    save_figure(curves_figure(data), out / "curves")
    finish_report(out, regime_table(data), data)
