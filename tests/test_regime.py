"""Sample regime studies: ordinary trainings at equal pairs, grown and resumed, measured as is."""

import dataclasses
import pickle
import shutil

import numpy as np
import pytest

import pgcore
from conftest import assert_same_dataset, small_config
from pgcore.cli import main
from pgcore.studies import sample_regime
from pgcore.studies.catalog import STUDIES
from pgcore.studies.measures.regime import (
    lowering_over_trials,
    median_over_trials,
    trial_difference,
)
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.regime import training
from pgcore.studies.regime.call import check_call
from pgcore.studies.regime.figures import curves_figure, regime_figure, spread_places
from pgcore.studies.regime.settings import RegimeStudy, iteration_at
from pgcore.studies.regime.table import regime_table
from pgcore.studies.step.cells import Steps
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run
from report_reading import reported
from test_diverged_trials import spoil
from test_train import assert_same_run

TASK = "LinearQuadratic-v0"
CONFIGS = {
    name: small_config(
        task=TASK,
        algorithm=name,
        hidden=(),
        value_hidden=(4,),
        policy_lr=1e-3,
        kl=0.02,
        normalize_advantages="batch",
        anneal=name == "ppo",
        save_every=3,
        keep=None,
    )
    for name in ("ppo", "trpo")
}
SMALL = {
    "configs": CONFIGS,
    "algorithms": ("ppo",),
    "pairs": (512, 2048),
    "rates": (0.5, 1.0),
    "total_pairs": 8192,
    "trials": 2,
    "shares": (0.0, 0.5),
    "estimates": 3,
    "true_pairs": 1024,
    "steps": 2,
    "reward_pairs": 100,
}
ONE = SMALL | {"pairs": (512,)}  # for which there are no differences
AT = {"algorithm": "ppo", "pairs": 512}


def checked(out, configs=CONFIGS, task=TASK, **changes):
    """A call of the study, all but computed."""
    settings = {k: v for k, v in SMALL.items() if k != "configs"} | changes
    return check_call(task, out, RegimeStudy(**settings), configs, None, True)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The folder of a whole study, and its dataset."""
    out = tmp_path_factory.mktemp("regime") / "study"
    return out, sample_regime(TASK, out, num_threads=1, **SMALL)


def folders(out):
    return sorted(p for p in (out / "runs").iterdir())


def latest(run):
    return load_checkpoint(run / "checkpoints" / "latest.safetensors")


def test_every_point_has_equal_pairs_and_equal_beginnings(studied):
    out, data = studied
    runs = folders(out)
    assert len(runs) == 4
    for run in runs:
        checkpoint = latest(run)
        config = checkpoint.config
        assert checkpoint.iteration * config.pairs == config.iterations * config.pairs == 8192
        rows = (run / "metrics.csv").read_text().splitlines()
        assert len(rows) == 1 + config.iterations * config.trials
        name = f"{config.algorithm}-{config.pairs}-x"
        factor = float(run.name.removeprefix(name))
        assert config.policy_lr == 1e-3 * factor and config.value_lr == 3e-4
        start = load_checkpoint(run / "checkpoints" / "000000.safetensors").state
        first = load_checkpoint(runs[0] / "checkpoints" / "000000.safetensors").state
        np.testing.assert_array_equal(start["policy.flat"], first["policy.flat"])
    assert (data["training_pairs"] == 8192).all()
    assert data["final_reward"].notnull().all()


def test_totals_that_are_no_multiple_differ_by_less_than_an_iteration():
    settings = RegimeStudy(total_pairs=1_000_000, pairs=(512, 2048, 8192))
    for n in settings.pairs:
        assert 0 <= 1_000_000 - settings.iterations(n) * n < n
    assert [iteration_at(s, 500) for s in (0.0, 0.3, 0.6, 0.9)] == [0, 150, 300, 450]
    assert [iteration_at(t / 10, 10) for t in range(10)] == list(range(10))


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_the_papers_point_is_a_plain_training(studied, tmp_path, algorithm):
    config = dataclasses.replace(
        CONFIGS[algorithm], pairs=2048, iterations=4, trials=2, keep=(2,), seed=0
    )
    with Run(tmp_path / "plain", config) as run:
        list(run.iterations())
    out = studied[0]
    if algorithm == "trpo":
        out = tmp_path / "study"
        call = checked(out, algorithms=("trpo",), pairs=(2048,), rates=(1.0,))
        assert training.train_runs(call.runs, TASK, 1, None) == {}
    assert_same_run(tmp_path / "plain", out / "runs" / f"{algorithm}-2048-x1")


def test_the_measured_numbers_are_those_of_the_studies_themselves(studied, tmp_path):
    """On the run, with its n and its streams, discount and lambda."""
    out, data = studied
    run, at = out / "runs" / "ppo-512-x0.5", {**AT, "rate": 0.5}
    sampling, common = Sampling(stream_steps=512), {"iterations": (0, 8), "pairs": (512,)}
    gradient = pgcore.studies.gradient_quality(
        run, tmp_path / "g", estimates=3, true_pairs=1024, true_step_pairs=512, largest_step=0,
        sampling=sampling, **common,
    )  # fmt: skip
    step = pgcore.studies.update_steps(
        run, tmp_path / "s", steps=2, reward_pairs=100, random=False, sampling=sampling, **common
    ).sel(kind="step", fraction=1.0, measure="return")
    for own, names in (
        (gradient, ("pairwise_cosine", "noise_scale", "true_noise_scale")),
        (step, ("mean_change", "lowering_share", "mean_norm", "mean_kl")),
    ):
        for name in names:
            mine = data[name].sel(at).sel(share=[0.0, 0.5]).transpose("share", "trial").values
            theirs = own.sel(n=512)[name].sel(agent="ppo").transpose("iteration", "trial").values
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
    alone = pgcore.open(out / "gradient" / "ppo-512")
    assert alone["agent"].values.tolist() == ["x0.5", "x1"]
    agent = latest(run).agent().select(1)
    best = float(agent.evaluate(40_000, seed=3).returns.mean())
    error = float(data["reward_error"].sel(at).sel(trial=1, share=1.0))
    assert abs(float(data["final_reward"].sel(at).sel(trial=1)) - best) < 5 * error


def part(data, **chosen):
    """What a study of a part of the grid has, in which the paper's setting is not."""
    return data.sel(chosen).drop_vars([name for name in data if "_difference" in name])


def test_equal_bits_on_threads(studied, tmp_path):
    """On 4, where runs and cells go beside each other."""
    out, whole = studied
    data = sample_regime(TASK, tmp_path, num_threads=4, **ONE)
    assert_same_dataset(data, part(whole, pairs=[512]))
    for run in folders(tmp_path):
        assert_same_run(run, out / "runs" / run.name)


def test_only_what_is_new_is_trained_and_measured(studied, tmp_path, monkeypatch):
    """An n, a rate, a share and trials that come later; what is there keeps its bits."""
    trained = []
    original = training.train_run
    monkeypatch.setattr(
        training, "train_run", lambda run, *a: (trained.append(run.folder.name), original(run, *a))
    )
    few = ONE | {"rates": (1.0,), "trials": 1, "shares": (0.5,), "num_threads": 1}
    first = sample_regime(TASK, tmp_path, **few)
    assert trained == ["ppo-512-x1"]
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.safetensors")}
    for name in ("reward", "gram", "total"):  # of each kind of store
        before |= {p: p.read_bytes() for p in tmp_path.rglob(f"{name}/c/**/*") if p.is_file()}
    data = sample_regime(TASK, tmp_path, **(few | {"rates": (0.5, 1.0), "trials": 2}))
    assert trained[1:] == ["ppo-512-x0.5", "ppo-512-x1-from-1"]
    assert all(p.read_bytes() == content for p, content in before.items())
    same = data.sel(rate=[1.0], trial=[0])
    for name in ("reward", "curve", "pairwise_cosine", "noise_scale", "mean_change", "mean_norm"):
        np.testing.assert_array_equal(same[name], first[name].transpose(*same[name].dims), name)
    # a rate that comes later is what it would have been; so is how later trials begin
    mine, whole = (d.sel(AT).sel(rate=0.5, share=0.5) for d in (data, studied[1]))
    for name in ("reward", "pairwise_cosine", "mean_change"):
        np.testing.assert_array_equal(mine[name], whole[name], name)
    beginning = "ppo-512-x1-from-1/checkpoints/000000.safetensors"
    later = load_checkpoint(tmp_path / "runs" / beginning).state
    both = load_checkpoint(studied[0] / "runs" / beginning.replace("-from-1", "")).state
    for name, array in later.items():
        np.testing.assert_array_equal(array, both[name][1:], name)
    assert data["mean_change"].sel(share=0.5).notnull().all()
    with pytest.raises(ValueError, match=r"trials: expected at least 2, which .*x0.5 has, got 1"):
        checked(tmp_path, pairs=(512,), trials=1)
    text = STUDIES["regime"].describe(TASK, tmp_path, **(ONE | {"shares": (0.0, 0.5)}))
    assert "0 of 3 runs to train" in text and "gradient: 8 of 16 cells" in text


def test_interrupted_anywhere_it_goes_on_without_repeating(studied, tmp_path, monkeypatch):
    """Ctrl-C in the second run, a kill in the third, and Ctrl-C in a cell of a step study."""
    own, calls, steps = ONE | {"num_threads": 1}, [], []

    def stop_at(number):
        def stop():
            calls.append(1)
            if len(calls) == number:
                raise KeyboardInterrupt

        return stop

    monkeypatch.setattr(training, "check_stopped", stop_at(16 + 2))
    with pytest.raises(KeyboardInterrupt):
        sample_regime(TASK, tmp_path, **own)
    assert [latest(r).iteration for r in folders(tmp_path)] == [16, 2], "saved where it stood"
    # a kill leaves more in the tables than in the newest checkpoint
    checkpoints = tmp_path / "runs" / "ppo-512-x1" / "checkpoints"
    shutil.copy(checkpoints / "000001.safetensors", checkpoints / "latest.safetensors")
    monkeypatch.setattr(training, "check_stopped", stop_at(0))
    calls.clear()
    original = Steps.__call__

    def cell(self, at, threads):
        steps.append(at)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return original(self, at, threads)

    monkeypatch.setattr(Steps, "__call__", cell)
    with pytest.raises(KeyboardInterrupt):
        sample_regime(TASK, tmp_path, **own)
    assert len(calls) == 15, "only the iterations that were missing"
    data = sample_regime(TASK, tmp_path, **own)
    assert len(calls) == 15 and len(steps) == 1 + 2 * 2 * 2, "the cell that was cut, once more"
    assert_same_dataset(data, part(studied[1], pairs=[512]))


def test_diverged_trials_are_left_out_and_counted(tmp_path, monkeypatch):
    original = Run.iterations

    def spoiled(self):
        if self.path.name == "ppo-2048-x0.5":
            spoil(self.trainer)
        if self.path.name == "ppo-2048-x2":
            for block in self.trainer.blocks:
                block.optimizers["policy"].exp_avg[:] = np.nan
        return original(self)

    monkeypatch.setattr(Run, "iterations", spoiled)
    own = SMALL | {"pairs": (2048,), "rates": (0.5, 1.0, 2.0)}
    data = sample_regime(TASK, tmp_path, num_threads=1, **own).sel(algorithm="ppo", pairs=2048)
    lost = data["diverged_iteration"].notnull()
    assert lost.transpose("rate", "trial").values.tolist() == [
        [False, True],
        [False, False],
        [True, True],
    ]
    assert (data["final_reward"].isnull() == lost).all()
    assert (data["training_return"].isnull() == lost).all()
    assert data["reward"].sel(share=0.0).notnull().all(), "until then it was an agent"
    assert data["mean_change"].sel(share=0.0).notnull().all()
    assert (data["mean_change"].sel(share=0.5).isnull() == lost).all()
    np.testing.assert_array_equal(data["final_reward_difference_trials"], [1, 2, np.nan])
    kept = data["final_reward"].sel(trial=0)
    difference = float(kept.sel(rate=0.5) - kept.sel(rate=1.0))
    assert float(data["final_reward_difference"].sel(rate=0.5)) == pytest.approx(difference)
    whole = pgcore.open(tmp_path)
    named = whole.attrs["trials_left_out"].split("; ")
    assert named[0] == "ppo 2048 x0.5: trial 1 diverged at iteration 0 (parameter)"
    assert len(named) == 3
    table = regime_table(whole)
    assert "   1 of 2" in table and "   0 of 2" in table and named[0] in table
    assert "3 trials diverged" in regime_figure(whole, 0.5)._suptitle.get_text()
    call = checked(tmp_path, pairs=(2048,), rates=(0.5, 1.0, 2.0))
    assert [run.left() for run in call.runs] == [0, 0, 0], "it does not begin anew"


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


def test_the_dataset_says_what_it_holds(studied):
    out, data = studied
    assert set(data.dims) == {"algorithm", "pairs", "rate", "trial", "share", "progress"}
    for name, variable in data.variables.items():
        assert {"units", "description"} <= set(variable.attrs), name
    with pytest.raises(ValueError, match="differences in variables that end in _difference"):
        pgcore.differences(data, "final_reward")
    finals = data["final_reward"].sel(AT).sel(rate=0.5)
    assert float(data["final_reward_over_trials"].sel(AT).sel(rate=0.5)) == pytest.approx(
        float(finals.mean())
    )
    paired = (finals - data["final_reward"].sel(algorithm="ppo", pairs=2048, rate=1.0)).mean()
    got = data["final_reward_difference"].sel(AT).sel(rate=0.5)
    assert float(got) == pytest.approx(float(paired))
    # what training told, from the run's own table: trajectories of 20 end in every iteration
    rows = np.genfromtxt(out / "runs" / "ppo-512-x0.5" / "metrics.csv", delimiter=",", names=True)
    last = rows["return_mean"][(rows["iteration"] >= 14) & (rows["trial"] == 1)]
    told = data["training_return"].sel(AT).sel(rate=0.5, trial=1)
    assert float(told) == pytest.approx(last.mean())
    curve = data["curve"].sel(AT).sel(rate=0.5, trial=1)
    assert curve.notnull().sum() == 16
    np.testing.assert_allclose(
        curve.values[curve.notnull()], rows["return_mean"][rows["trial"] == 1]
    )
    assert (data["training_known"] == 1).all()


def test_table_and_figures(studied):
    _, data = studied
    table = regime_table(data)
    assert table.count("\nppo  ") == table.count("\n     0 ") == table.count("\n   0.5 ") == 4
    assert "2 trial(s), fewer than 6: what is said about agents is a description" in table
    figure = regime_figure(data, 0.5)
    assert figure._suptitle.get_text().startswith("LinearQuadratic-v0: PPO: 8,192 pairs")
    assert figure.axes[0].get_title() == "PPO: learning rate"
    assert "× 0.5 (0.0005)" in [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert len(figure.axes) == 4
    titles = [ax.get_title() for ax in curves_figure(data).axes]
    assert titles == ["PPO, n = 512", "PPO, n = 2048"]
    places = spread_places(np.array([512.0, 2048.0, 8192.0]), 3)
    assert len(np.unique(places)) == 9 and (np.argsort(places[:, 0]) == [0, 1, 2]).all()


def test_a_report_has_it_though_it_has_no_agents(studied, tmp_path):
    out, data = studied
    page = reported(out, tmp_path / "report")
    assert "LinearQuadratic-v0: ppo" in page and "regime: How do training" in page
    value = float(data["final_reward_over_trials"].values.ravel()[0])
    assert f'data-v="{value!r}"' in page
    own = [v for v in data.data_vars if {"rate", "trial"} <= set(data[v].dims)]
    partial = data.assign({v: data[v].where(data["trial"] > 0) for v in own})
    missing = partial.sizes["algorithm"] * partial.sizes["pairs"] * partial.sizes["rate"]
    page = reported(partial, tmp_path / "partial")
    total = missing * partial.sizes["trial"]
    assert f"{missing} of {total} cases (algorithm, pairs, rate, trial) have no number" in page


def test_a_run_is_sent_to_a_worker(tmp_path):
    """As a cell that can be pickled and finds its folder."""
    call = checked(tmp_path, pairs=(512,))
    cell = pickle.loads(pickle.dumps(training._Training(tuple(call.runs), None)))
    assert cell({"run": 1}, 1) == {}
    assert [run.left() for run in call.runs] == [16, 0]


def test_dry_run_says_what_is_left(studied, tmp_path):
    describe = STUDIES["regime"].describe
    text = describe(TASK, tmp_path / "new", **SMALL)
    assert f"training {TASK}: 4 of 4 runs to train, 8 agents in all, 6.55e+04 state" in text
    for kind, cells in {"rewards": 24, "gradient": 32, "step": 16}.items():
        assert f"\n{kind}: {cells} of {cells} cells to compute" in text
    assert "\ntogether about " in text and " h) on " in text
    assert not (tmp_path / "new").exists()
    text = describe(TASK, studied[0], **(SMALL | {"rates": (0.5, 1.0, 2.0)}))
    assert "2 of 6 runs to train" in text and "rewards: 12 of 36 cells" in text


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


def test_what_a_folder_holds_is_not_overwritten(studied, runs, tmp_path):
    out, _ = studied
    with pytest.raises(ValueError, match="holds a study with other settings of total_pairs"):
        checked(out, total_pairs=16384)
    wide = {name: dataclasses.replace(c, hidden=(9,)) for name, c in CONFIGS.items()}
    with pytest.raises(ValueError, match="holds another agent as settings of ppo"):
        checked(out, wide, pairs=(1024,))
    with pytest.raises(ValueError, match=r"shares: .* has not kept iteration 2 of 16"):
        checked(out, pairs=(512,), shares=(0.15,))
    shutil.copytree(out / "runs", tmp_path / "copy" / "runs")
    (tmp_path / "copy" / ".pgcore.lock").touch()
    with pytest.raises(ValueError, match=r"holds a run with other settings \(minibatches: 4 there"):
        checked(tmp_path / "copy", minibatch_size=32)
    with pytest.raises(ValueError, match="task: unknown id 'nothing'"):
        checked(tmp_path / "x", task="nothing")
    with pytest.raises(ValueError, match="expected an empty folder, or one of a study, got"):
        checked(runs[0])
    (tmp_path / "runs" / "ppo-512-x0.5").mkdir(parents=True)
    (tmp_path / ".pgcore.lock").touch()
    (tmp_path / "runs" / "ppo-512-x0.5" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"one of a run, got .*ppo-512-x0.5, which holds other"):
        checked(tmp_path)


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
