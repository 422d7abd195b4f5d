"""Sample regime studies: ordinary trainings at equal pairs, grown and resumed, measured as is."""

import dataclasses
import shutil

import numpy as np
import pytest

import pgcore
from conftest import assert_same_dataset
from pgcore.studies import sample_regime
from pgcore.studies.catalog import STUDIES
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.regime import training
from pgcore.studies.regime.figures import curves_figure, regime_figure, spread_places
from pgcore.studies.regime.table import regime_table
from pgcore.studies.step.cells import Steps
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import Run
from regime_case import AT, CONFIGS, ONE, SMALL, TASK, checked, part
from report_reading import reported
from test_train import assert_same_run


@pytest.fixture(scope="module")
def studied(regimes):
    """The folder of a whole study, and its dataset."""
    return regimes, pgcore.open(regimes)


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


def test_other_settings_of_what_is_measured_are_refused_ahead_of_training(studied, tmp_path):
    """A new n would be trained first, and its gradients refused hours later."""
    shutil.copytree(studied[0], tmp_path / "study")
    for change, store in (("true_pairs", "gradient/ppo-512/true.zarr"), ("steps", "step/ppo-512")):
        more = {"pairs": (512, 1024, 2048), change: 2 * SMALL[change]}
        with pytest.raises(ValueError, match=f"{store}.* with other settings of {change}"):
            checked(tmp_path / "study", **more)
    newest = tmp_path / "study" / "runs" / "ppo-512-x1" / "checkpoints" / "latest.safetensors"
    newest.unlink()  # a kept one is where training would go on, too
    assert not any(run.left() for run in checked(tmp_path / "study").runs)


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
    assert table.startswith("LinearQuadratic-v0: 8,192 pairs of training")
    assert table.count("\nppo  ") == table.count("\n     0 ") == table.count("\n   0.5 ") == 4
    assert "2 trials, fewer than 6: what is said about agents is a description" in table
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


def test_what_a_folder_holds_is_not_overwritten(studied, runs, tmp_path):
    out, _ = studied
    with pytest.raises(ValueError, match="holds a study with other settings of total_pairs"):
        checked(out, total_pairs=16384)
    wide = {name: dataclasses.replace(c, hidden=(9,)) for name, c in CONFIGS.items()}
    with pytest.raises(ValueError, match="holds other settings of ppo"):
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
