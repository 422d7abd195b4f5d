"""The paper's claims as code: rules that decide when they should, and what is kept of them."""

import json
import math
import sys

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from conftest import ROOT

sys.path.append(str(ROOT / "experiments"))
import claims
from claimed.claims import CLAIMS
from claimed.gradients import NEAR_ZERO
from claimed.parts import RISES
from claimed.rules import Part, Rule, describes, verdict
from claimed.sources import Sources
from claimed.trials import per_trial

from pgcore.studies.measures.statistics import mean_interval

RESULTS = ROOT / "experiments" / "results"
BELOW = Rule(high=0.0)
HALF = Rule(0.25, 1.0)


@pytest.mark.parametrize(
    ("rule", "ends", "says"),
    [
        (BELOW, (-2, -3, -1), "holds"),
        (BELOW, (2, 1, 3), "fails"),
        (BELOW, (-1, -3, 1), "undecided"),
        (RISES, (3.0, 1.0, 5.0), "holds"),
        (HALF, (0.5, 0.3, 0.9), "holds"),
        (HALF, (2, 1.5, 2.5), "fails"),
        (HALF, (0.1, 0.0, 0.2), "fails"),
        (HALF, (0.2, 0.1, 0.3), "undecided"),
        (BELOW, (-1, math.nan, math.nan), "undecided"),
        (BELOW, (math.nan, math.nan, math.nan), "undecided"),
        (Rule(low=10, by_factors=True), (math.inf, 20, math.inf), "holds"),
    ],
)
def test_a_rule_wants_the_whole_interval(rule, ends, says):
    assert rule.says(ends) == says


def test_all_parts_hold_or_one_fails():
    holds, fails, open_ = (
        Part("", ends, 8, BELOW) for ends in ((-2, -3, -1), (2, 1, 3), (0, -1, 1))
    )
    assert verdict([holds, holds]) == "holds"
    assert verdict([holds, open_]) == "undecided"
    assert verdict([holds, open_, fails]) == "fails"
    assert verdict([]) == describes([]) == "untested"


def test_few_trials_decide_nothing():
    """One part of five trials is enough for that."""
    holds, few = (Part("", (-2, -3, -1), trials, BELOW) for trials in (6, 5))
    assert verdict([holds]) == "holds"
    assert verdict([holds, few]) == "undecided"
    assert describes([holds, few]) == "holds"


def test_a_share_that_may_be_large_does_not_fail():
    """C11 fails only by the steps that may lower the reward, not by those that clearly do."""
    often = Rule(low=0.25)
    assert Part("", (0.1, 0.05, 0.2), 8, often, against=(0.6, 0.5, 0.7)).says == "undecided"
    assert Part("", (0.1, 0.05, 0.2), 8, often, against=(0.2, 0.1, 0.24)).says == "fails"
    assert Part("", (0.4, 0.3, 0.5), 8, often, against=(0.7, 0.6, 0.8)).says == "holds"


def test_what_could_not_fail_does_not_fail():
    """C10 asks for 10^5 pairs per point: with fewer, jagged says nothing, and smooth enough."""
    smooth = Rule(high=0.1)
    nothing = (math.nan,) * 3
    assert Part("", (0.3, 0.2, 0.4), 8, smooth, against=nothing).says == "undecided"
    assert Part("", (0.05, 0.04, 0.06), 8, smooth, against=nothing).says == "holds"


def test_what_is_told_beside_a_claim_does_not_decide_it():
    holds = Part("", (-2, -3, -1), 8, BELOW)
    beside = Part("", (2, 1, 3), 2, BELOW, judged=False)
    assert verdict([holds, beside]) == "holds" and beside.says == "fails"


def test_a_part_that_fails_by_another_number_has_no_power():
    """Its interval is not the one that would have to leave the bound."""
    ends = (0.1, 0.05, 0.2)
    often = Rule(low=0.25)
    assert math.isfinite(Part("", ends, 8, often).resolves)
    assert math.isnan(Part("", ends, 8, often, against=(0.6, 0.5, 0.7)).resolves)


@pytest.mark.parametrize("trials", [6, 24])
def test_what_it_resolves_is_decided_four_times_of_five(trials):
    """Of a truth so far from the bound, by trials of the scatter that the interval stands for.

    4000 repeats have an error of 0.006; three of them.
    """
    half = float(stats.t.ppf(0.975, trials - 1)) / math.sqrt(trials)
    far = Part("", (0.0, -half, half), trials, BELOW).resolves
    values = np.random.default_rng(0).standard_normal((4000, trials)) - far
    decided = [BELOW.says(mean_interval(v)) == "holds" for v in values]
    assert abs(np.mean(decided) - 0.8) < 0.02


def test_by_factors_it_resolves_a_factor():
    part = Part("", (2.0, 1.0, 4.0), 8, Rule(low=1.0, by_factors=True))
    other = Part("", (20.0, 10.0, 40.0), 8, Rule(low=1.0, by_factors=True))
    assert part.resolves == pytest.approx(other.resolves)
    assert 2.0 < part.resolves < 4.0
    assert math.isnan(Part("", (1.0, math.nan, math.nan), 1, BELOW).resolves)


class _Made(Sources):
    """One gradient study of known numbers, on Hopper."""

    def study(self, task, *kinds):
        if task != "Hopper-v2" or "gradient" not in kinds:
            return None
        shape = (1, 3, 8, 2)
        dims = ("agent", "iteration", "trial", "n")
        rng = np.random.default_rng(1)
        noise = 0.01 * rng.standard_normal(shape)
        level = np.array([0.6, 0.05, 0.02])[None, :, None, None]
        places = {"agent": ["ppo"], "iteration": [0, 150, 450], "n": [2000, 100_000]}
        return xr.Dataset({"pairwise_cosine": (dims, level + noise)}, places)


def test_claims_of_known_numbers(tmp_path):
    c1, c2 = (c for c in CLAIMS if c.name in ("C1", "C2"))
    (near,) = c1.measure(_Made(tmp_path), "Hopper-v2", "ppo")
    assert near.rule == NEAR_ZERO and near.trials == 8
    assert near.ends[0] == pytest.approx(0.035, abs=0.01) and near.says == "holds"
    falls = c2.measure(_Made(tmp_path), "Hopper-v2", "ppo")
    assert [p.title for p in falls] == [
        "pairwise cosine, 450 less 0",
        "pairwise cosine, 450 less 150",
    ]
    assert falls[0].ends[0] == pytest.approx(-0.58, abs=0.01)
    assert verdict(falls) == "holds"
    assert verdict(c1.measure(_Made(tmp_path), "Hopper-v2", "trpo")) == "untested"


class _Studies(Sources):
    """Given studies, by task and kind."""

    def study(self, task, kind):
        return self.folder.get((task, kind))


def _gradients(late, start, steps=0.5):
    """A gradient study whose cosines are ``late`` (a number per trial) after the start."""
    late = np.asarray(late, dtype=float)
    cosines = np.stack([np.full(late.shape, start), late, late])[None, ..., None]
    places = {"agent": ["ppo"], "iteration": [0, 150, 300], "n": [2000]}
    dims = ("agent", "iteration", "trial", "n")
    data = {
        "pairwise_cosine": cosines,
        "step_pairwise_cosine": steps * cosines,
        "step_norm": 2 * cosines,
    }
    return xr.Dataset({name: (dims, values) for name, values in data.items()}, places)


def _measured(name, studies, task="Hopper-v2"):
    (claim,) = (c for c in CLAIMS if c.name == name)
    return claim.measure(_Studies(studies), task, "ppo")


def test_tasks_and_lengths_are_compared_after_the_start():
    """At 0 agents of tasks differ by what their statistics are made of."""
    spread = np.linspace(-0.01, 0.01, 8)
    easy, hard = _gradients(0.1 + spread, 0.8), _gradients(0.1 + spread, 0.0)
    studies = {("Hopper-v2", "gradient"): easy, ("Humanoid-v2", "gradient"): hard}
    (less,) = _measured("C3", studies, "Humanoid-v2")
    assert less.ends[0] == pytest.approx(0.0, abs=1e-12) and less.says == "undecided"
    (length,) = _measured("C14", studies)
    assert length.ends[0] == pytest.approx(0.1, rel=0.01)


def test_steps_are_judged_by_all_that_gradients_are():
    spread = np.linspace(-0.01, 0.01, 8)
    studies = {("Hopper-v2", "gradient"): _gradients(0.05 + spread, 0.8)}
    parts = _measured("C5", studies)
    assert [p.title for p in parts if "less" in p.title] == [
        f"pairwise cosine of steps, 300 less {first}" for first in (0, 150)
    ]
    assert parts[0].says == "holds" and verdict(parts) == "undecided"


def test_infinite_trials_make_no_interval():
    """Seven whose gradient is not seen, one that is: nothing is decided by the one."""
    data = _gradients(np.full(8, 0.05), 0.5)
    scale = xr.full_like(data["pairwise_cosine"], np.inf)
    scale[:, :, 0] = 1e6
    studies = {("Hopper-v2", "gradient"): data.assign(true_noise_scale=scale)}
    (needed,) = _measured("C4", studies)
    assert needed.trials == 1 and verdict([needed]) == "undecided"


@pytest.mark.parametrize(("most", "says"), [(20_000, "undecided"), (100_000, "fails")])
def test_maps_of_few_pairs_are_not_called_jagged(most, says):
    rough = np.linspace(0.2, 0.3, 8)[:, None, None] * np.ones((1, 2, 8, 1, 2))
    places = {"agent": ["ppo"], "iteration": [0, 450], "pairs": [2000, most]}
    dims = ("agent", "iteration", "trial", "source", "pairs")
    data = xr.Dataset({"unexplained": (dims, rough)}, places)
    data = data.assign_coords(step_scale=range(7), random_scale=range(7))
    few, many = _measured("C10", {("Hopper-v2", "trials-landscape"): data})
    assert few.says == "holds" and many.says == says and "degree 4" in many.title


def test_nothing_measured_is_untested(tmp_path, capsys):
    assert claims.main(claims.Command(studies=tmp_path)) == 0
    rows = json.loads((tmp_path / "claims.json").read_text())
    assert len(rows) == 14 * 3 * 2 and {row["verdict"] for row in rows} == {"untested"}
    assert capsys.readouterr().out == "84 of 84 are untested\n"
    assert claims.main(claims.Command(studies=tmp_path / "none")) == 2
    assert "studies: expected a folder" in capsys.readouterr().err


def test_the_kept_verdicts_are_those_of_the_kept_studies():
    kept = json.loads((RESULTS / "claims.json").read_text())
    assert claims.judged(RESULTS) == kept
    assert {row["claim"] for row in kept} == {f"C{i}" for i in range(1, 15)}


def test_a_trial_that_ended_on_the_way_is_no_whole_one():
    """Its mean over the iterations that it has would be that of an earlier agent."""
    values = xr.DataArray(
        [[0.5, 0.1, 0.1, np.nan], [0.6, 0.2, 0.2, np.nan], [0.5, np.nan, np.nan, np.nan]],
        dims=("trial", "iteration"),
    )
    found = per_trial(values)  # nobody has the last iteration
    np.testing.assert_allclose(found, [0.7 / 3, 1.0 / 3])
