"""Rewards, noise and steps against the pairs of an iteration, and learning curves over pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from pgcore.base.arrays import F64
from pgcore.base.words import counted
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE, known_trials
from pgcore.studies.style import AGENT_PAIRS, STYLE, new_figure, nth_look, shown, spec_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_APART = 0.35, 0.1  # of the way to the next n, and of the axis: what rates at one n take at most
_GRID = ("algorithm", "pairs", "rate")
# variable, label of its axis
_MEASURED = (
    ("true_noise_scale", "noise scale B (pairs)"),
    ("mean_change", "change of the return\nby a step"),
    ("lowering_share", "share of steps that\nlower the return"),
)


def measured_shares(data: xr.Dataset) -> list[float]:
    """The shares of training after which gradients or steps were measured."""
    found = [data[name].notnull().any([*_GRID, "trial"]) for name, _ in _MEASURED if name in data]
    return [float(s) for s in data["share"].values if any(bool(f.sel(share=s)) for f in found)]


def spread_places(pairs: F64, count: int) -> F64:
    """Where the points of ``count`` lines are drawn [count, N], so that they hide no other."""
    places = np.log(np.sort(pairs))
    wide = 1.0
    if len(pairs) > 1:
        wide = min(_APART[0] * np.diff(places).min(), _APART[1] * (places[-1] - places[0]))
    apart = wide * (np.arange(count) - (count - 1) / 2) / max(1, count - 1)
    return np.asarray(pairs * np.exp(apart)[:, None])


def grid_panel(ax: Axes, data: xr.Dataset, name: str) -> Axes:
    """A variable against the pairs of an iteration: a line per rate, trials as dots.

    Args:
        ax: where to draw.
        data: of one algorithm and, where the variable has shares, of one.
        name: of the variable [pairs, rate, trial]; where it has an interval over trials, the line
            is their mean and has it, else it is their median.
    """
    pairs = data["pairs"].values.astype(np.float64)
    places = spread_places(pairs, data.sizes["rate"])
    for k, rate in enumerate(data["rate"].values):
        own, look = data.sel(rate=rate), nth_look(k)
        trials = own[name].transpose("pairs", "trial").to_numpy()
        at = np.broadcast_to(places[k][:, None], trials.shape)
        known = np.isfinite(trials)
        ax.plot(at[known], trials[known], look["marker"], color=look["color"], ms=2, alpha=0.35)
        whole = f"{name}_over_trials"
        middle = own[whole].to_numpy()
        error = None
        if f"{whole}_low" in own:
            ends = [own[f"{whole}{end}"].to_numpy() for end in ("_low", "_high")]
            error = [middle - ends[0], ends[1] - middle]
        ax.errorbar(
            places[k], np.where(np.isfinite(middle), middle, np.nan), error, marker=look["marker"],
            color=look["color"], linestyle=look["line"], linewidth=1.0, markersize=4,
            elinewidth=1.0, capsize=2, markeredgecolor="white", markeredgewidth=0.5,
            label=_rate_label(own, rate), zorder=3,
        )  # fmt: skip
        unseen = np.isposinf(trials).any(axis=1)
        for x in places[k][unseen]:
            (mark,) = ax.plot(
                [x], [1.0], marker="$\\infty$", color=look["color"], ms=5, clip_on=False, zorder=4,
                transform=ax.get_xaxis_transform(), markeredgewidth=0.3,
            )  # fmt: skip
            mark.set_in_layout(False)
    ax.axvline(AGENT_PAIRS, color="black", linewidth=0.8, linestyle=":", zorder=0)
    _pairs_ticks(ax, pairs)
    return ax


def _rate_label(own: xr.Dataset, rate: float) -> str:
    value = float(own["rate_value"].max())
    return f"× {rate:g}" + (f" ({value:.3g})" if np.isfinite(value) else "")


def _pairs_ticks(ax: Axes, pairs: F64) -> None:
    """A logarithmic axis with a tick at each number of pairs."""
    ax.set_xscale("log")
    ax.set_xticks(pairs, [f"{n:g}" for n in pairs])
    ax.xaxis.set_minor_locator(NullLocator())


def _limits(ax: Axes, data: xr.Dataset, *names: str) -> None:
    """Let no interval over few trials make the trials themselves invisible."""
    points = np.concatenate([data[name].to_numpy().ravel() for name in names])
    points = points[np.isfinite(points)]
    if not len(points):
        return
    low, high = float(points.min()), float(points.max())
    span = (high - low) or max(1.0, abs(high))
    ends = ax.get_ylim()
    ax.set_ylim(max(ends[0], low - span), min(ends[1], high + span))


@mpl.rc_context(STYLE)
def regime_figure(data: xr.Dataset, share: float | None = None) -> Figure:
    """Final reward, noise scale and step outcome against n; a column per algorithm.

    Args:
        data: of :func:`pgcore.studies.regime.opening.open_regime`.
        share: of training, after which gradients and steps are shown; None: none are.
    """
    algorithms = [str(a) for a in data["algorithm"].values]
    rows = [] if share is None else [(n, label) for n, label in _MEASURED if n in data]
    figure, axes = new_figure(len(algorithms), 1 + len(rows), width=3.1, height=1.85)
    for column, algorithm in zip(axes.T, algorithms, strict=True):
        own = data.sel(algorithm=algorithm)
        grid_panel(column[0], own, "final_reward")
        what = "bound δ" if algorithm == "trpo" else "learning rate"
        column[0].set_title(f"{shown(algorithm)}: {what}", fontsize=8, pad=16)
        column[0].legend(
            fontsize=6, handlelength=2.5, loc="lower center", bbox_to_anchor=(0.5, 0.99),
            ncol=data.sizes["rate"], columnspacing=1.0,
        )  # fmt: skip
        for ax, (name, _) in zip(column[1:], rows, strict=True):
            grid_panel(ax, own.sel(share=share), name)
        column[-1].set_xlabel("pairs per iteration n")
    axes[0, 0].set_ylabel("final return")
    _limit_row(axes[0], data, "final_reward")
    for line, (name, label) in zip(axes[1:], rows, strict=True):
        line[0].set_ylabel(label)
        _finish_row(line, data.sel(share=share), name)
    figure.suptitle(wrapped(_note(data, share), figure, 6.5), fontsize=6.5)
    return figure


def _limit_row(row: Any, data: xr.Dataset, name: str) -> None:
    for ax, algorithm in zip(row, data["algorithm"].values, strict=True):
        _limits(ax, data.sel(algorithm=algorithm), name)


def _finish_row(row: Any, data: xr.Dataset, name: str) -> None:
    """Scales and reference lines of a measured variable."""
    if name == "true_noise_scale":
        n = data["pairs"].values
        for ax in row:
            ax.set_yscale("log")
            ax.plot(n, n, color="0.4", linewidth=0.8, linestyle="--", zorder=0)
            low, high = ax.get_ylim()
            subs = (1.0,) if high >= 30 * low else (1.0, 2.0, 5.0)
            ax.yaxis.set_major_locator(LogLocator(subs=subs))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            ax.yaxis.set_minor_locator(NullLocator())
        return
    _limit_row(row, data, name)
    for ax in row:
        ax.axhline(0.5 if name == "lowering_share" else 0, color="black", linewidth=0.6, zorder=0)
        if name == "lowering_share":
            ax.set_ylim(-0.03, 1.03)


def _note(data: xr.Dataset, share: float | None) -> str:
    """What is drawn, of how many trials."""
    agents = ", ".join(shown(a) for a in data["algorithm"].values)
    spec, (fewest, most) = spec_of(data), known_trials(data["final_reward"], *_GRID)
    note = f"{spec['task']}: {agents}: {spec['total_pairs']:,} pairs of training of each agent"
    if share is not None:
        note += f"; gradients and steps after {100 * share:g} % of it, from n pairs each"
    note += f"\nlarge: mean of {counted(fewest, 'trial', most)} with 95 % interval over them; "
    note += f"dots: trials; dotted: n = {AGENT_PAIRS}"
    if share is not None:
        note += "; B: median, dashed: B = n, ∞: a trial whose gradient is not seen above its noise"
    if lost := data.attrs.get("trials_left_out", ""):
        note += f"\n{len(lost.split('; '))} trials diverged and are left out"
    if fewest < TRIALS_TO_DECIDE:
        note += (
            f"\nfewer than {TRIALS_TO_DECIDE} trials: a description, not a decision; intervals may "
        )
        note += "leave the panels"
    return note


def curve_panel(ax: Axes, data: xr.Dataset, total: int) -> Axes:
    """Returns over the pairs of training: what training told, and true rewards as points.

    Args:
        ax: where to draw.
        data: of one algorithm and number of pairs.
        total: pairs of a whole training.
    """
    x = data["progress"].values * total
    shift = 0.016 * total
    for k, rate in enumerate(data["rate"].values):
        own, look = data.sel(rate=rate), nth_look(k)
        for trial in data["trial"].values:
            _line(ax, x, own["curve"].sel(trial=trial).to_numpy(), look["color"], 0.4, 0.35)
        mean = own["curve_over_trials"].to_numpy()
        _line(ax, x, mean, look["color"], 1.2, 1.0, linestyle=look["line"])
        middle, low, high = (
            own[f"reward_over_trials{end}"].to_numpy() for end in ("", "_low", "_high")
        )
        at = own["share"].values * total + shift * (k - (data.sizes["rate"] - 1) / 2)
        ax.errorbar(
            at, middle, [middle - low, high - middle], marker=look["marker"], color=look["color"],
            linestyle="none", markersize=4, elinewidth=0.8, capsize=2, markeredgecolor="white",
            markeredgewidth=0.5, label=_rate_label(own, rate), zorder=3,
        )  # fmt: skip
    return ax


def _line(ax: Axes, x: F64, y: F64, color: str, width: float, alpha: float, **more: Any) -> None:
    """Without gaps at parts of training in which no trajectory ended."""
    known = np.isfinite(y)
    ax.plot(x[known], y[known], color=color, linewidth=width, alpha=alpha, **more)


@mpl.rc_context(STYLE)
def curves_figure(data: xr.Dataset) -> Figure:
    """Learning curves over the pairs of training: a row per algorithm, a column per n."""
    algorithms, pairs = data["algorithm"].values, data["pairs"].values
    total = spec_of(data)["total_pairs"]
    figure, axes = new_figure(len(pairs), len(algorithms), width=2.6, height=2.2)
    for row, algorithm in zip(axes, algorithms, strict=True):
        own = data.sel(algorithm=algorithm)
        for ax, n in zip(row, pairs, strict=True):
            curve_panel(ax, own.sel(pairs=n), total)
            ax.set_title(f"{shown(algorithm)}, n = {n}", fontsize=8)
            _limits(ax, own, "reward", "curve")
            ax.locator_params(axis="x", nbins=3)
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ends = [ax.get_ylim() for ax in row]
        for ax in row:
            ax.set_ylim(min(e[0] for e in ends), max(e[1] for e in ends))
        row[0].set_ylabel("return")
        what = "bound δ" if algorithm == "trpo" else "learning rate"
        row[-1].legend(
            title=f"{shown(algorithm)}: {what}", fontsize=6, title_fontsize=6, loc="center left",
            bbox_to_anchor=(1.0, 0.5),
        )  # fmt: skip
    figure.supxlabel("state-action pairs of training", fontsize=8)
    task, agents = spec_of(data)["task"], ", ".join(shown(a) for a in algorithms)
    fewest, most = known_trials(data["curve"], *_GRID)
    note = (
        f"{task}: {agents}: training with several n and rates\nlines: mean return of trajectories "
        f"that ended within an iteration (thin: each of {counted(fewest, 'trial', most)}), "
        "which leaves long ones out where n is small; points: true reward with 95 % interval "
        "over trials"
    )
    figure.suptitle(wrapped(note, figure, 6.5), fontsize=6.5)
    return figure
