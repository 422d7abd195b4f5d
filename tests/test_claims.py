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
from claimed.claims import CLAIMS, NEAR_ZERO, RISES
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
