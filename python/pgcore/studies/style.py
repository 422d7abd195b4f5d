"""What all figures share: panels, colours that differ in grey, too, and how they are saved."""

from __future__ import annotations

import json
import textwrap
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from pgcore.base.arrays import F64
from pgcore.studies.measures.own_pairs import AGENT_PAIRS as AGENT_PAIRS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# dark and light by turns, so that neighbours can be told apart in grey, too
_LOOKS = (
    ("#1f4e9c", "-", "o"),
    ("#d98200", "-.", "s"),
    ("#5b2a86", "--", "^"),
    ("#3aa6a0", ":", "D"),
    ("#7a1f1f", (0, (5, 1)), "v"),
    ("#9aa53a", (0, (3, 1, 1, 1)), "P"),
)
_FIRST = {"ppo": 0, "trpo": 1, "a2c": 2}  # the same in every figure
# of figures that can be turned: no button sends their data to a server
PLOTLY: Any = {
    "displaylogo": False,
    "plotlyServerURL": "",
    "responsive": True,
    "showSendToCloud": False,
}
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


def look_of(label: str, others: Iterable[Any] = ()) -> dict[str, Any]:
    """Colour, line and marker of an agent beside others of these labels.

    They follow from the labels alone, so that all figures of a study agree; no two agents look
    alike while there are looks left.
    """
    labels = {label, *map(str, others)}
    places: dict[str, int] = {}
    for name in sorted(labels, key=lambda name: (name not in _FIRST, name)):
        place = _FIRST.get(name, zlib.crc32(name.encode()) % len(_LOOKS))
        while place in places.values() and len(places) < len(_LOOKS):
            place = (place + 1) % len(_LOOKS)
        places[name] = place
    return nth_look(places[label])


def nth_look(place: int) -> dict[str, Any]:
    """Colour, line and marker of the n-th of some things in order, such as rates."""
    color, line, marker = _LOOKS[place % len(_LOOKS)]
    return {"color": color, "line": line, "marker": marker}


def shown(label: Any) -> str:
    """An agent's label as figures write it."""
    return str(label).upper() if label in _FIRST else str(label)


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


def wrapped(text: str, figure: Figure, size: float) -> str:
    """Lines of a text of some font size, broken where the figure ends."""
    width = int(figure.get_figwidth() * 72 / (0.53 * size))
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG for the screen and a PDF for print beside it, which know the figure's title."""
    path.parent.mkdir(parents=True, exist_ok=True)
    title = {"Title": figure.get_suptitle()}
    for suffix in (".png", ".pdf"):
        figure.savefig(path.with_suffix(suffix), dpi=200, metadata=title)
