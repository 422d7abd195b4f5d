"""Sample regime studies: settings, their command, and what differences are."""

import pickle

import numpy as np
import pytest

import pgcore
from pgcore.cli import main
from pgcore.studies import sample_regime
from pgcore.studies.measures.regime import (
    lowering_over_trials,
    median_over_trials,
    trial_difference,
)
from pgcore.studies.regime import training
from pgcore.studies.regime.figures import regime_figure
from pgcore.studies.regime.settings import RegimeStudy, iteration_at
from pgcore.studies.regime.table import regime_table
from pgcore.training.config import TrainConfig
from regime_case import CONFIGS, ONE, SMALL, TASK, checked


def test_totals_that_are_no_multiple_differ_by_less_than_an_iteration():
    settings = RegimeStudy(total_pairs=1_000_000, pairs=(512, 2048, 8192))
    for n in settings.pairs:
        assert 0 <= 1_000_000 - settings.iterations(n) * n < n
    assert [iteration_at(s, 500) for s in (0.0, 0.3, 0.6, 0.9)] == [0, 150, 300, 450]
    assert [iteration_at(t / 10, 10) for t in range(10)] == list(range(10))


def test_differences_are_paired_by_trials():
    values, reference = np.array([1.0, 4.0, np.nan, 7.0]), np.array([0.0, 1.0, 5.0, np.nan])
    found = trial_difference(values, reference, np.arange(4.0))
    # differences 1 and 3: mean 2, standard error 1, Student's t of one degree
    width = 12.706204736432095
    np.testing.assert_allclose(found, (2, 2 - width, 2 + width, 2), rtol=1e-9)  # of scipy's t
    assert np.isnan(trial_difference(values, np.full(4, np.nan), np.arange(4.0))[0])
    assert median_over_trials(np.array([1, 1, 1, np.nan]), np.array([3, np.inf, 5, np.nan])) == 5
    middle, low, high = lowering_over_trials(np.array([0.5, 0.5, np.nan]), np.full(3, 10.0))
    assert middle == 0.5 and low < 0.3 and high > 0.7, "equal shares say no more than their steps"
    middle, *ends = lowering_over_trials(np.array([0.5, np.nan]), np.full(2, 10.0))
    assert middle == 0.5 and np.isnan(ends).all(), "one trial says nothing of others"


def test_a_run_is_sent_to_a_worker(tmp_path):
    """As a cell that can be pickled and finds its folder."""
    call = checked(tmp_path, pairs=(512,))
    cell = pickle.loads(pickle.dumps(training._Training(tuple(call.runs), None)))
    assert cell({"run": 1}, 1) == {}
    assert [run.left() for run in call.runs] == [16, 0]


def test_without_shares_only_training_and_its_end_are_measured(tmp_path):
    own = ONE | {"rates": (1.0,), "trials": 1, "shares": ()}
    data = sample_regime(TASK, tmp_path, **own)
    assert data["share"].values.tolist() == [1.0] and "mean_change" not in data
    assert "no differences: the paper's setting" in regime_table(data)
    assert len(regime_figure(data).axes) == 1


def test_the_same_minibatches_at_every_n(tmp_path):
    """Their number by default, their size where it is given; what an iteration begins with."""
    for change, expected in (({}, [4, 4]), ({"minibatch_size": 64}, [8, 32])):
        runs = checked(tmp_path, **change).runs
        assert [r.config.minibatches for r in runs[::2]] == expected
    assert all(r.config.persist for r in checked(tmp_path, persist=True).runs)
    runs = checked(tmp_path, None, "Hopper-v2", algorithms=("ppo", "trpo", "a2c")).runs
    rates = {r.point[0]: [] for r in runs}
    for r in runs[:2] + runs[4:6] + runs[8:10]:
        rates[r.point[0]].append(r.config.kl if r.point[0] == "trpo" else r.config.policy_lr)
    # Table 1 of the paper, and the defaults
    assert rates == {"ppo": [2.25e-4, 4.5e-4], "trpo": [0.065, 0.13], "a2c": [1.5e-4, 3e-4]}


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"total_pairs": 2000}, ValueError, "total_pairs: expected at least one iteration's"),
        ({"pairs": (512, 512)}, ValueError, "pairs: expected every number once, got 512"),
        ({"pairs": 512}, TypeError, "pairs: expected a sequence of integers"),
        ({"rates": (1.0, 1.0)}, ValueError, r"rates: expected every value once, got 1.0"),
        ({"rates": (0.0,)}, ValueError, "rates: expected a number > 0, got 0.0"),
        ({"rates": ()}, ValueError, "rates: expected at least one"),
        ({"rates": (1.0, 1.00000001)}, ValueError, "rates: .*six digits"),
        ({"algorithms": ("sac",)}, ValueError, "algorithms: expected one of ppo, trpo, a2c"),
        ({"algorithms": "ppo"}, TypeError, "algorithms: expected a sequence"),
        ({"trials": 0}, ValueError, "trials: expected an integer >= 1"),
        ({"shares": (1.0,)}, ValueError, "shares: expected numbers from 0 to below 1, got 1.0"),
        ({"shares": (0.5, 0.6)}, ValueError, r"shares: expected different .* got \[2, 2\]"),
        ({"minibatch_size": 100}, ValueError, "minibatch_size: expected a divisor .* 100 for 512"),
        ({"pairs": (64, 2048), "configs": {"ppo": TrainConfig(minibatches=100, task=TASK)}},
         ValueError, r"minibatches: expected at most pairs \(64\), got 100"),
        ({"pairs": (32,)}, ValueError, "pairs: expected an integer >= 64, got 32"),
        ({"steps": 1}, ValueError, "steps"),
        ({"estimates": 1}, ValueError, "estimates"),
        ({"preset": "mine"}, ValueError, "preset"),
        ({"seed": -1}, ValueError, "seed"),
        ({"configs": {"ppo": CONFIGS["trpo"]}}, ValueError, "configs: expected settings of ppo"),
        ({"configs": 3}, TypeError, "configs: expected TrainConfigs by algorithm"),
        ({"nonsense": 1}, TypeError, "nonsense: the study regime has no such setting"),
        ({"num_threads": 0}, ValueError, "num_threads"),
        ({"cluster": "somewhere"}, ValueError, "cluster"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_before_any_work(tmp_path, change, kind, text):
    with pytest.raises(kind, match=text):
        sample_regime(TASK, tmp_path / "x", **(SMALL | change))
    assert not (tmp_path / "x").exists()


def test_the_command(tmp_path, capsys):
    main(
        ["study", "regime", TASK, "--algorithms", "trpo", "--pairs", "64", "--rates", "1",
         "--total-pairs", "256", "--trials", "1", "--shares", "--reward-pairs", "100",
         "--threads", "1", "--out", str(tmp_path)]
    )  # fmt: skip
    out = capsys.readouterr().out
    assert "curves.png, regime.png, summary.txt, datasets" in out and "trpo       64" in out
    assert pgcore.open(tmp_path)["final_reward"].notnull().all()
    with pytest.raises(SystemExit):
        main(["study", "regime", TASK, "--pairs", "64", "64", "--out", str(tmp_path / "x")])
    error = capsys.readouterr().err
    assert "every number once" in error and len(error.strip().splitlines()) == 1
