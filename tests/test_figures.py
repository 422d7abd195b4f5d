"""What figures show, read from their texts and lines."""

import itertools
import sys

import numpy as np
import pytest

import pgcore
from conftest import ROOT
from figure_checks import (
    SEEN,
    assert_apart,
    assert_labelled,
    assert_nothing_is_cut_off,
    assert_nothing_is_empty,
    assert_titled,
    lab,
    panels,
)
from pgcore.studies import figures
from pgcore.studies.learning_figure import running_mean
from pgcore.studies.style import (
    _LOOKS,
    FEW,
    THREE_LOOKS,
    bars,
    look_of,
    new_figure,
    pairs_axis,
    save_figure,
    trials_panel,
)

sys.path.append(str(ROOT / "experiments"))
import overview
from pack import study

KEPT = ROOT / "experiments" / "results"


def test_running_means():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [5.0, 4.0], [np.nan, 6.0], [9.0, 8.0]])
    np.testing.assert_array_equal(running_mean(values, 1), values)
    two = [[1.0, np.nan], [2.0, np.nan], [4.0, 4.0], [5.0, 5.0], [9.0, 7.0]]
    np.testing.assert_array_equal(running_mean(values, 2), two)
    whole = running_mean(values, 5)[-1]
    np.testing.assert_array_equal(whole, np.nanmean(values, axis=0))


def test_agents_of_one_figure_look_different():
    labels = ["ppo", "no-obs-norm", "wide", "mine", "trpo", "other"]
    looks = [look_of(label, labels)["color"] for label in labels]
    assert len(set(looks)) == len(labels)
    assert looks == [look_of(label, labels[::-1])["color"] for label in labels]
    assert look_of("ppo")["color"] == looks[0]  # the same in every figure


@pytest.fixture(scope="module")
def kept():
    """A kept study by name."""
    found = {}

    def get(name):
        if name not in found:
            found[name] = study(name, KEPT)
        return found[name]

    return get


@pytest.fixture(scope="module")
def drawn(kept, runs, tmp_path_factory):
    """A figure of each kind: name -> (figure, task, agents)."""
    ppo_trpo = ("Hopper-v2", "PPO", "TRPO")
    few = {"iterations": (2,), "steps": 3, "pairs": (64,), "reward_pairs": 100}
    steps = pgcore.studies.update_steps(runs, tmp_path_factory.mktemp("steps"), **few)
    returns = np.cumsum(np.random.default_rng(0).normal(1, 9, (40, 5)), axis=0)
    gradient = kept("humanoid-gradient")
    values = kept("hopper-value")
    return {
        "gradient": (figures.gradient_figure(gradient), "Humanoid-v2", "PPO", "TRPO"),
        "one agent": (
            figures.gradient_figure(kept("hopper-gradient").sel(agent=["trpo"], iteration=[450])),
            *("Hopper-v2", "TRPO"),
        ),
        "steps": (
            figures.gradient_figure(gradient.sel(iteration=[300]), "step"),
            *("Humanoid-v2", "PPO", "TRPO"),
        ),
        "values": (figures.value_figure(values), *ppo_trpo),
        "explained": (
            figures.value_figure(values.sel(agent=["trpo"]), "explained_variance"),
            *("Hopper-v2", "TRPO"),
        ),
        "variance": (figures.variance_figure(values.sel(trial=[0])), *ppo_trpo),
        "trials": (
            figures.variance_figure(values.sel(agent=["ppo"], iteration=[450])),
            *("Hopper-v2", "PPO"),
        ),
        "step": (figures.step_figure(steps), *ppo_trpo),
        "update": (figures.update_figure(kept("hopper-early"), 40, 2000), *ppo_trpo, "A2C"),
        "learning": (
            figures.learning_figure({"ppo": returns, "trpo": returns[:, :1]}, "Hopper-v2"),
            *ppo_trpo,
        ),
        "overview": (overview.overview(KEPT), *ppo_trpo),
    }


KINDS = ["gradient", "one agent", "steps", "values", "explained", "variance", "trials", "step"]
KINDS += ["update", "learning", "overview"]


@pytest.mark.parametrize("name", KINDS)
def test_a_figure_says_what_it_shows(drawn, name):
    figure, task, *agents = drawn[name]
    assert_titled(figure, task, *agents)
    assert_nothing_is_empty(figure)
    assert_nothing_is_cut_off(figure)
    if name != "overview":  # its third panel is the landscape's
        assert_labelled(figure)


def test_errors_of_the_start_do_not_squeeze_the_others(drawn, kept):
    """They are written into their panel, with the range of the trials."""
    data = kept("hopper-value")
    start = data["error_iqm"].sel(measure="mre", iteration=0)
    top = max(ax.get_ylim()[1] for ax in panels(drawn["values"][0]))
    assert top < float(start.min())
    for ax in panels(drawn["values"][0]):
        (text,) = (t.get_text() for t in ax.texts)
        assert text.startswith("iteration 0: ")
        assert all(0 not in line.get_xdata() for line in ax.lines)
    shown = panels(drawn["values"][0])[1].texts[0].get_text()  # of PPO, GAE target, held-out
    own = data.sel(agent="ppo", set="held-out", target="gae", measure="mre", iteration=0)
    ends = [float(own[f"error_iqm{end}"]) for end in ("", "_low", "_high")]
    assert shown == "iteration 0: {:.2g} [{:.2g}, {:.2g}]".format(*ends)
    alone = figures.value_figure(data.sel(iteration=[0]))
    assert all(0 in ax.lines[0].get_xdata() and not ax.texts for ax in panels(alone))


def test_trajectories_are_counted_per_agent(drawn, kept):
    data = kept("humanoid-gradient")
    for name in ("gradient", "steps"):
        for ax in panels(drawn[name][0]):
            for top in ax.child_axes:
                agent, iteration = ax.get_title().lower().split(", iteration ")
                own = data["trajectories"].sel(agent=agent, iteration=int(iteration))
                known = {n: float(own.sel(n=int(n)).mean()) for n in data["n"].values}
                for n, label in zip(top.get_xticks(), top.get_xticklabels(), strict=True):
                    count = known[n]
                    assert label.get_text() == (f"{count:.0f}" if count >= 10 else f"{count:.1f}")
    counted = [ax for ax in panels(drawn["gradient"][0]) if ax.child_axes]
    assert len(counted) == 2 * data.sizes["iteration"]


def test_bars_of_several_trials_stand_side_by_side():
    """At the same n, but apart on paper; with many trials their mean has the bars."""
    n = np.array([100.0, 1000.0])
    rows = np.array([[0.5, 0.4, 0.6], [0.7, 0.6, 0.8]])
    figure, axes = new_figure(1)
    ax = axes[0, 0]
    ax.set_xscale("log")
    look = {"color": "black", "line": "-", "marker": "o"}
    trials_panel(ax, n, np.array([rows] * FEW), rows, **look)
    lines = [bar.lines[0] for bar in ax.containers]
    assert len(lines) == FEW
    places = [line.get_transform().transform(np.column_stack(line.get_data())) for line in lines]
    apart = np.diff([place[:, 0] for place in places], axis=0) * 72 / figure.dpi
    np.testing.assert_allclose(apart, 2.2, rtol=1e-6)
    assert ax.get_xlim()[0] < 100 and ax.get_xlim()[1] > 1000 and ax.get_ylim()[1] > 0.8
    _, axes = new_figure(1)
    trials_panel(axes[0, 0], n, np.array([rows] * (FEW + 1)), rows, **look)
    assert len(axes[0, 0].containers) == 1
    bars(axes[0, 0], n, np.full((2, 3), np.nan), **look)  # nothing known: nothing drawn, no error


def test_colours_differ_in_grey_and_without_green_or_red_cones():
    """By 10 in lightness where there is no colour, by 20 in CIELAB where there is less of it."""
    for looks in (_LOOKS, THREE_LOOKS):
        assert len({look[1] for look in looks}) == len({look[2] for look in looks}) == len(looks)
        for (one, *_), (other, *_) in itertools.combinations(looks, 2):
            for seen in SEEN:
                distance = np.linalg.norm(lab(one, seen) - lab(other, seen))
                assert distance >= (10 if seen == "grey" else 20), (one, other, seen, distance)
    assert np.allclose(lab("white"), [100, 0, 0], atol=0.01)
    assert abs(lab("#777777", "grey")[0] - lab("#777777")[0]) < 0.01
    red, green = "#e04040", "#48803c"  # clear to most, and known not to be to some
    assert np.linalg.norm(lab(red) - lab(green)) > 80
    assert np.linalg.norm(lab(red, "deuteranopia") - lab(green, "deuteranopia")) < 35


@pytest.mark.parametrize("n", [(2000,), (1500, 3000), (100, 2000, 100_000)])
def test_labels_of_pairs_lie_apart(n):
    figure, axes = new_figure(4, 1)
    for ax in axes.ravel():
        ax.plot(n, np.zeros(len(n)), marker="o")
        ax.axvline(2048)
        pairs_axis(ax, np.array(n, float))
        low, high = ax.get_xlim()
        assert low < min(n) and max(n) < high and high / low > 9.9
    assert_apart(figure)


def test_a_trial_with_one_n_among_many_is_seen():
    """As with --sweep-trials: it has no line, so it has a mark."""
    _figure, axes = new_figure(1, 1)
    rows = np.full((6, 3, 3), np.nan)
    rows[:2] = 0.5
    rows[2:, 1] = 0.4
    x, look = np.array([100.0, 2000.0, 1e5]), look_of("ppo")
    trials_panel(axes[0, 0], x, rows, np.full((3, 3), 0.45), **look)
    pale = [line for line in axes[0, 0].lines if line.get_linewidth() == 0.4]
    assert [line.get_marker() for line in pale] == [""] * 2 + ["_"] * 4


def test_names_with_points_are_whole(tmp_path):
    """A label such as lr0.001, or a share of training: the figures of two were one file."""
    for name in ("regime-0.3", "regime-0.6", "contour-lr0.001-trial0", "contour-lr0.003-trial0"):
        figure, _ = new_figure(1, 1)
        save_figure(figure, tmp_path / name)
        assert (tmp_path / f"{name}.png").is_file()
    assert len(list(tmp_path.iterdir())) == 4
