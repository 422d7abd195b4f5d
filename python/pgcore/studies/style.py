"""What all figures share: panels, looks that differ in grey, titles, and how they are saved."""

from __future__ import annotations

import json
import textwrap
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.own_pairs import AGENT_PAIRS as AGENT_PAIRS
from pgcore.studies.measures.own_pairs import decade_around

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of agents. No two are nearer than 10 in lightness, so that they differ in grey, nor than 20 in
# CIELAB as people without green or red cones see them (tests/test_figures.py); lines and markers
# differ, too.
_LOOKS = (
    ("#1c4796", "-", "o"),
    ("#e38d00", "-.", "s"),
    ("#2a0d3b", "--", "^"),
    ("#7ad0c2", ":", "D"),
    ("#bb3657", (0, (5, 1)), "v"),
    ("#9079cb", (0, (3, 1, 1, 1)), "P"),
)
# Of three things that are compared within an agent; by the same rule.
THREE_LOOKS = (("#2a0d3b", "-", "^"), ("#bb3657", "-.", "o"), ("#45b5a6", ":", "s"))
_FIRST = {"ppo": 0, "trpo": 1, "a2c": 2}  # the same in every figure
# of figures that can be turned: no button sends their data to a server
PLOTLY: Any = {
    "displaylogo": False,
    "plotlyServerURL": "",
    "responsive": True,
    "showSendToCloud": False,
}
FEW = 4  # trials that are drawn with an interval each; of more, the mean has one
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


def headline(data: xr.Dataset, what: str = "", agents: Iterable[Any] | None = None) -> str:
    """What a figure is titled: the task, whose figure it is, and what else is to be said.

    Args:
        data: of a study.
        what: follows the agents.
        agents: labels; all of the dataset's without.
    """
    names = ", ".join(shown(a) for a in (data["agent"].values if agents is None else agents))
    return f"{spec_of(data).get('task', '')}: {names}{what and f'; {what}'}"


def caption(figure: Figure, title: str, text: str, handles: Sequence[Any] = ()) -> None:
    """A title above, and below in small print what is drawn; the figure grows by what they take.

    Args:
        figure: of panels.
        title: of :func:`headline`.
        text: of the caption.
        handles: of a legend below the title, for all panels.
    """
    title, text = wrapped(title, figure, 9), wrapped(text, figure, 6.5)
    lines = len(title.splitlines())
    figure.suptitle(title + "\n " * bool(handles), fontsize=9)  # an empty line for the legend
    figure.supxlabel(text, fontsize=6.5, x=0.01, ha="left")
    taken = 0.16 * (lines + bool(handles)) + 0.12 * len(text.splitlines())
    height = figure.get_figheight() + taken
    figure.set_figheight(height)
    if handles:
        below = 1 - (0.16 * lines + 0.05) / height
        figure.legend(
            handles=list(handles), loc="upper center", bbox_to_anchor=(0.5, below),
            ncols=len(handles), fontsize=7, borderpad=0.3, borderaxespad=0, handlelength=2.5,
        )  # fmt: skip


def rows_of(data: xr.Dataset, name: str) -> F64:
    """A variable of one dimension with its interval: rows (middle, low, high)."""
    return np.stack([data[f"{name}{end}"].values for end in ("", "_low", "_high")], axis=-1)


def bars(
    ax: Axes, x: F64, rows: F64, *, color: Any, line: Any, marker: str, label: str | None = None,
    shift: float = 0.0, width: float = 1.0,
) -> None:  # fmt: skip
    """A line whose points have thin interval bars; rows are (middle, low, high).

    Args:
        ax: where to draw.
        x, rows: [X], [X, 3].
        color, line, marker, label: of the line.
        shift: in points to the right, so that the bars of several lines stand side by side.
        width: of the line.
    """
    from matplotlib.transforms import ScaledTranslation

    ax.errorbar(
        x, rows[:, 0], np.abs(rows[:, 1:] - rows[:, :1]).T, color=color, linestyle=line,
        marker=marker, label=label, linewidth=width, markersize=2.2 * width, elinewidth=0.6,
        capsize=1.2, capthick=0.6,
        transform=ax.transData + ScaledTranslation(shift / 72, 0, ax.figure.dpi_scale_trans),
    )  # fmt: skip
    places = np.column_stack([np.repeat(x, 3), rows.ravel()])
    ax.update_datalim(places[np.isfinite(places).all(axis=1)])  # shifted lines do not count
    ax.autoscale_view()


def band(
    ax: Axes, x: F64, rows: F64, *, color: Any, line: Any, marker: str | None, label: str | None
) -> None:
    """A line and its band, light with thin edges; rows are (middle, low, high)."""
    ax.plot(
        x, rows[:, 0], color=color, linestyle=line, marker=marker, label=label, linewidth=1.2,
        markersize=2.5,
    )  # fmt: skip
    ax.fill_between(x, rows[:, 1], rows[:, 2], color=color, alpha=0.1, linewidth=0)
    for end in rows.T[1:]:
        ax.plot(x, end, color=color, linewidth=0.4, alpha=0.7)


def trials_panel(
    ax: Axes, x: F64, trials: F64, over: F64, *, color: Any, line: Any, marker: str,
    label: str | None = None, shift: float = 0.0, gap: float = 2.2,
) -> None:  # fmt: skip
    """A line per trial: :data:`FEW` and fewer with bars, side by side; more pale, with their mean.

    Args:
        ax: where to draw.
        x, trials: [X], [trials, X, 3], each row (middle, low, high).
        over: [X, 3], mean over trials and its interval; drawn where there are many.
        color, line, marker, label: of the lines.
        shift, gap: of the middle one, and between two, in points.
    """
    count = len(trials)
    if count > FEW:
        for rows in trials:
            alone = np.isfinite(rows[:, 0]).sum() == 1  # of which there is no line
            ax.plot(
                x, rows[:, 0], color=color, linewidth=0.4, alpha=0.45, marker="_" if alone else "",
                markersize=7,
            )  # fmt: skip
        bars(
            ax, x, over, color=color, line=line, marker=marker, label=label, shift=shift, width=1.4
        )
        return
    for place, rows in enumerate(trials):
        bars(
            ax, x, rows, color=color, line=line, marker=marker, label=None if place else label,
            shift=shift + gap * (place - (count - 1) / 2),
        )  # fmt: skip


def not_computed(ax: Axes, text: str = "not computed") -> None:
    """Say in a panel why there is nothing."""
    ax.text(0.5, 0.5, text, ha="center", transform=ax.transAxes)


def trials_text(fewest: int, most: int, over: str) -> str:
    """What :func:`trials_panel` draws, for a caption; ``over``: what a trial's bar is over."""
    many = counted(fewest, "trial", most)
    pale = f"pale: {many}; bold: their mean, bars: its 95 % intervals over trials"
    if fewest > FEW:
        return pale
    lines = f"a line for each of {many}, side by side" if most > 1 else "one trial"
    lines += f"; bars: 95 % intervals over {over}"
    return f"where there are up to {FEW}, {lines}; of more, {pale}" if most > FEW else lines


def trajectories_axis(panel: Axes, n: F64, trajectories: F64) -> None:
    """Above a panel: how many trajectories n pairs are, at some n.

    Args:
        panel: with n as its x axis.
        n: [X].
        trajectories: [X], of one agent; NaN where nothing was measured.
    """
    known = np.isfinite(trajectories)
    n, trajectories = n[known], trajectories[known]
    top = panel.secondary_xaxis("top")
    chosen = slice(0, None, max(1, len(n) // 4))
    texts = [f"{m:.0f}" if m >= 10 else f"{m:.1f}" for m in trajectories[chosen]]
    top.set_xticks(n[chosen], texts)
    top.minorticks_off()
    top.tick_params(labelsize=6, length=2, pad=1)
    top.set_xlabel("trajectories", fontsize=6, labelpad=2.5)


def pairs_axis(ax: Axes, n: F64) -> None:
    """A logarithmic axis of pairs, with labels that do not overlap; never of less than a decade."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

    ax.set_xscale("log")
    if (ends := decade_around(n)) is not None:
        ax.set_xlim(*ends)
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
    width = int(figure.get_figwidth() * 72 / (0.57 * size))
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


_formats: ContextVar[tuple[str, ...]] = ContextVar("formats", default=(".png", ".pdf"))


@contextmanager
def figure_formats(*suffixes: str) -> Iterator[None]:
    """Let :func:`save_figure` write these alone, as ".png" where figures are embedded."""
    token = _formats.set(suffixes)
    try:
        yield
    finally:
        _formats.reset(token)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG for the screen and a PDF for print beside it, which know the figure's title.

    Args:
        figure: a figure.
        path: of the files without what is behind their last point; it may have points of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    title = {"Title": figure.get_suptitle()}
    for suffix in _formats.get():
        figure.savefig(path.with_name(path.name + suffix), dpi=200, metadata=title)
        figure.set_layout_engine("none")  # the second file has the layout of the first
