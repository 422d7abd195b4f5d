"""Captions count the trials that are drawn, not those that a dataset has room for."""

import sys

import pytest
import xarray as xr

from conftest import ROOT
from pgcore.base.words import counted
from pgcore.studies import figures
from pgcore.studies.measures.differences import known_trials
from pgcore.studies.style import FEW, trials_text

sys.path.append(str(ROOT / "experiments"))
from pack import study

DRAWN = {  # kind of figure: kept study, its figure, trials there, what the caption says of them
    "gradient": ("humanoid-gradient", figures.gradient_figure, 2, "A line for each of {}"),
    "values": ("hopper-trials-value-cut", figures.value_figure, 8, "Thin: {};"),
    "baselines": ("hopper-value", figures.variance_figure, 3, "estimates at each n"),
    "step": ("hopper-step", figures.step_figure, 8, "independent steps of each of {}."),
    "update": ("hopper-early", None, 6, "independent updates of each of {}."),
    "budget": ("hopper-budget", figures.budget_figure, 6, "state of each restored; {}, bars"),
    "regime": ("hopper-regime", figures.regime_figure, 6, "large: mean of {} with"),
    "curves": ("hopper-regime", figures.curves_figure, 6, "(thin: each of {})"),
}


def texts(figure):
    """The words above and below the panels, in one line."""
    return " ".join(f"{figure.get_suptitle()} {figure.get_supxlabel()}".split())


def without(data, trials):
    """A study in which the first agent has fewer trials."""
    agent = "algorithm" if "algorithm" in data.dims else "agent"
    first = xr.DataArray(range(data.sizes[agent]), dims=agent) == 0
    lost = first & (xr.DataArray(range(data.sizes["trial"]), dims="trial") >= trials)
    own = {n: x for n, x in data.data_vars.items() if {agent, "trial"} <= set(x.dims)}
    return data.assign({n: x.where(~lost) for n, x in own.items() if x.dtype.kind == "f"})


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("lost", [0, 1])
def test_a_caption_counts_the_trials_that_are_known(kind, lost):
    name, draw, trials, said = DRAWN[kind]
    data = without(study(name, ROOT / "experiments" / "results"), trials - lost)
    figure = figures.update_figure(data, 40, 2000) if draw is None else draw(data)
    text = texts(figure)
    assert said.format(counted(trials - lost, "trial", trials)) in text
    if kind in ("budget", "regime"):
        assert ("fewer than 6 trials: a description" in text) == (lost == 1)


def test_updates_of_one_trial_are_the_unit_where_there_is_one():
    data = study("hopper-early", ROOT / "experiments" / "results")
    text = texts(figures.update_figure(without(data, 1), 40, 2000))
    assert "each of 1 to 6 trials. Pale: means of trials" in text
    assert "over trials (updates where there is one trial)." in text
    assert "over updates." in texts(figures.update_figure(data.sel(trial=[0]), 40, 2000))


def test_errors_of_few_trials_have_ranges_and_the_caption_says_which():
    data = study("hopper-trials-value-cut", ROOT / "experiments" / "results")
    text = texts(figures.value_figure(without(data, 5)))
    assert "95 % bootstrap intervals of 6 and more, the range of fewer" in text
    assert "bars: 95 % bootstrap intervals." in texts(figures.value_figure(data))


def test_trials_are_counted_where_any_number_of_them_is_known():
    values = xr.DataArray([[[1.0, 2.0], [3.0, float("nan")]]], dims=("agent", "n", "trial"))
    assert known_trials(values) == (2, 2)
    assert known_trials(values, "agent", "n") == (1, 2)
    assert known_trials(values.where(False)) == (0, 0)


def test_lines_and_means_of_one_figure_are_both_explained():
    few = trials_text(2, FEW, "estimates")
    assert (
        few == "a line for each of 2 to 4 trials, side by side; bars: 95 % intervals over estimates"
    )
    many = trials_text(FEW + 1, FEW + 2, "estimates")
    assert many.startswith("pale: 5 to 6 trials; bold: their mean")
    mixed = trials_text(2, FEW + 2, "estimates")
    assert "up to 4" in mixed and "a line for each" in mixed and "bold: their mean" in mixed
    assert trials_text(1, 1, "estimates").startswith("one trial; bars")
