"""What all figures share: panels, colours that differ in grey, too, and how they are saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from pgcore.base.arrays import F64

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# dark and light, so that the two can be told apart in grey, too
COLORS = {"ppo": "#1f4e9c", "trpo": "#d98200"}
MARKERS = {"ppo": "o", "trpo": "s"}
LINES = {"ppo": "-", "trpo": "-."}
AGENT_PAIRS = 2048
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def spec_of(data: xr.Dataset) -> dict[str, Any]:
    """The settings that made a study's dataset."""
    spec: dict[str, Any] = json.loads(data.attrs.get("spec", "{}"))
    return spec


def pairs_axis(ax: Axes, n: F64) -> None:
    """A logarithmic axis of pairs, with labels that do not overlap."""
    ax.set_xscale("log")
    subs = (1.0,) if n.max() >= 30 * n.min() else (1.0, 2.0, 5.0)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    every = (float("inf"), float("inf"))  # label all major ticks
    ax.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=every))
    ax.xaxis.set_minor_formatter(NullFormatter())


def new_figure(
    columns: int, rows: int = 1, width: float = 2.3, height: float = 2.2
) -> tuple[Figure, Any]:
    """A figure of panels [rows, columns] that does not touch global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width * columns, 3.3), height * rows))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG for the screen and a PDF for print beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".png", ".pdf"):
        figure.savefig(path.with_suffix(suffix), dpi=200)
