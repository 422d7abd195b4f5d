"""Figures, page and table of a landscape study, from its dataset alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.studies.engine.report import finish_report


def report_landscape(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder; a trial that an agent does not have is passed over."""
    from pgcore.studies.landscape import figures
    from pgcore.studies.landscape.page import landscape_page
    from pgcore.studies.landscape.table import landscape_table
    from pgcore.studies.style import save_figure

    plane = figures.is_plane(data)
    kinds = {"surface": figures.surface_figure, "contour": figures.contour_figure}
    if not plane:
        kinds.pop("surface")
    for agent, trial in itertools.product(*(data[d].values for d in ("agent", "trial"))):
        own = data["surrogate"].sel(agent=agent, trial=trial)
        if not np.isfinite(own.values).any():
            continue
        who = f"{agent}-trial{trial}"
        for source, (kind, draw) in itertools.product(data["source"].values, kinds.items()):
            figure = draw(data, str(agent), int(trial), int(source))
            save_figure(figure, out / f"{kind}-{who}-step{source}")
        if plane and data.sizes["source"] > 1:
            figure = figures.sources_figure(data, str(agent), int(trial))
            save_figure(figure, out / f"sources-{who}")
    if plane:
        (out / "landscape.html").write_text(landscape_page(data))
    finish_report(out, landscape_table(data))
