"""Figures, page and table of a landscape study, from its dataset alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.files import write_atomically
from pgcore.studies.engine.report import finish_report


def report_landscape(data: xr.Dataset, out: Path) -> None:
    """Write them into a folder; a trial that an agent does not have is passed over."""
    from pgcore.studies.landscape import surface_figures as surfaces
    from pgcore.studies.landscape.figures import contour_figure
    from pgcore.studies.landscape.page import landscape_page
    from pgcore.studies.landscape.table import landscape_table
    from pgcore.studies.style import save_figure

    plane = surfaces.is_plane(data)
    kinds: dict[str, Callable[..., Any]] = {"contour": contour_figure}
    if plane:
        kinds |= {"surface": surfaces.surface_figure, "levels": surfaces.levels_figure}
    for agent, trial in itertools.product(*(data[d].values for d in ("agent", "trial"))):
        own = data["surrogate"].sel(agent=agent, trial=trial)
        if not np.isfinite(own.values).any():
            continue
        who = f"{agent}-trial{trial}"
        for source, (kind, draw) in itertools.product(data["source"].values, kinds.items()):
            figure = draw(data, str(agent), int(trial), int(source))
            if figure is not None:
                save_figure(figure, out / f"{kind}-{who}-step{source}")
        if plane and data.sizes["source"] > 1:
            figure = surfaces.sources_figure(data, str(agent), int(trial))
            save_figure(figure, out / f"sources-{who}")
    if plane:
        write_atomically(out / "landscape.html", landscape_page(data).encode())
    finish_report(out, landscape_table(data), data)
