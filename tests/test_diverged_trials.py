"""A trial whose numbers are no longer finite stands still; the others do not notice."""

import re
from itertools import islice

import numpy as np
import pytest
import xarray as xr

import pgcore
from conftest import assert_same_dataset, make_policy, small_config
from pgcore import cli
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.surfaces import reward_sums
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling
from pgcore.training.block import Block
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.divergence import CAUSES, DivergedError
from pgcore.training.records import read_metrics
from pgcore.training.run import Run
from report_reading import reported
from test_diverged import hinges

VICTIM = 1  # in a block with trial 0


def spoil(trainer, name="policy"):
    """NaN in the optimiser's memory of one trial: its next update is one to NaN."""
    block = next(b for b in trainer.blocks if VICTIM in b.trials)
    block.optimizers[name].exp_avg[block.trials.index(VICTIM), 5] = np.nan


def run(path, config, spoiled_after=None, stop_after=None, resume=False):
    seen = []
    with Run(path, config, resume=resume) as opened:
        if spoiled_after is not None:
            for record in islice(opened.iterations(), spoiled_after):
                seen += record.diverged
            spoil(opened.trainer)
        for record in opened.iterations():
            seen += record.diverged
            if record.iteration + 1 == stop_after:
                break
    return [str(d) for d in seen]


def state(path):
    return load_checkpoint(path / "checkpoints" / "latest.safetensors").state


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_one_diverges_and_the_others_keep_their_bits(tmp_path, algorithm, monkeypatch):
    config = small_config(algorithm=algorithm, normalize_advantages="batch", save_every=1)
    if algorithm == "trpo":  # its policy has no optimiser: the value network's
        monkeypatch.setattr("test_diverged_trials.spoil", lambda t, f=spoil: f(t, "value"))
    assert run(tmp_path / "sound", config) == []
    assert run(tmp_path / "hurt", config, 2) == ["trial 1 diverged at iteration 2 (parameter)"]
    sound, hurt = state(tmp_path / "sound"), state(tmp_path / "hurt")
    others = np.arange(3) != VICTIM
    for name, array in sound.items():
        np.testing.assert_array_equal(hurt[name][others], array[others], err_msg=name)
        finite = np.isfinite(hurt[name][VICTIM]).all()
        assert finite or "exp_avg" in name, "it stays as it was ahead of the bad update"
    early = load_checkpoint(tmp_path / "sound" / "checkpoints" / "000002.safetensors").state
    np.testing.assert_array_equal(hurt["policy.flat"][VICTIM], early["policy.flat"][VICTIM])
    np.testing.assert_array_equal(hurt["scaler.state"][VICTIM], early["scaler.state"][VICTIM])
    # the tables leave it out from there on, and say so
    a, b = (read_metrics(tmp_path / p) for p in ("sound", "hurt"))
    for name, values in a.items():
        np.testing.assert_array_equal(values[:, others], b[name][:, others], err_msg=name)
    assert np.isnan(b["kl"][2:, VICTIM]).all() and np.isfinite(b["kl"][:2, VICTIM]).all()
    table = (tmp_path / "hurt" / "diverged.csv").read_text()
    assert table == "trial,iteration,cause\n1,2,parameter\n"
    assert not (tmp_path / "sound" / "diverged.csv").exists()


def test_resume_is_exact_and_knows(tmp_path):
    config = small_config(iterations=6)
    run(tmp_path / "whole", config, spoiled_after=1)
    run(tmp_path / "cut", config, spoiled_after=1, stop_after=3)
    assert run(tmp_path / "cut", config, resume=True) == [], "it is named once"
    for name, array in state(tmp_path / "whole").items():
        np.testing.assert_array_equal(state(tmp_path / "cut")[name], array, err_msg=name)
    for table in ("metrics.csv", "diverged.csv"):
        assert (tmp_path / "whole" / table).read_bytes() == (tmp_path / "cut" / table).read_bytes()


def test_a_divergence_in_the_last_iteration_is_reported(tmp_path):
    config = small_config(iterations=2)
    assert run(tmp_path, config, 1) == ["trial 1 diverged at iteration 1 (parameter)"]
    assert np.isfinite(state(tmp_path)["policy.flat"]).all()
    assert state(tmp_path)["diverged"][:, 0].tolist() == [-1, 1, -1]


def test_an_agent_that_cannot_act_is_out(tmp_path):
    """As a run of an older pgcore may have left it."""
    config = small_config(iterations=2)
    with Run(tmp_path, config) as opened:
        opened.trainer.blocks[0].policy.flat[VICTIM, 3] = np.nan
        records = list(opened.iterations())
    assert [str(d) for d in records[0].diverged] == ["trial 1 diverged at iteration 0 (parameter)"]
    assert np.isfinite(records[-1].metrics["return_mean"][[0, 2]]).all()


def train(path, *more):
    cli.main(
        ["train", "--task", "Hopper-v2", "--trials", "3", "--iterations", "3", "--pairs", "128",
         "--minibatches", "4", "--policy-epochs", "2", "--value-epochs", "2",
         "--out", str(path), *more]
    )  # fmt: skip


def test_when_all_diverge_the_run_ends_with_one_line(tmp_path, capfd):
    for more in ([], ["--resume"]):
        with pytest.raises(SystemExit, match="2"):
            train(tmp_path / "run", "--policy-lr", "300", *more)
        error = capfd.readouterr().err
        lines = [x for x in error.replace("\r", "\n").splitlines() if "pgcore train: " in x]
        assert len(lines) == 1 and "no trial is left after iteration " in lines[0]
        assert "trial 2 diverged at iteration " in lines[0] and "Traceback" not in error
    rows = (tmp_path / "run" / "diverged.csv").read_text().splitlines()
    assert len(rows) == 4
    assert len(read_metrics(tmp_path / "run")["kl"]) >= 1
    kept = load_checkpoint(tmp_path / "run" / "checkpoints" / "000000.safetensors")
    assert np.isfinite(kept.state["policy.flat"]).all()
    assert np.isfinite(state(tmp_path / "run")["policy.flat"]).all()


def test_a_run_that_no_trial_begins_is_begun_anew_by_the_corrected_command(tmp_path, capfd):
    with pytest.raises(SystemExit, match="2"):
        train(tmp_path / "run", "--policy-lr", "1e9")
    rows = (tmp_path / "run" / "diverged.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["0"] * 3, "in their first iteration"
    train(tmp_path / "run")
    train(tmp_path / "other")
    assert "diverged" not in capfd.readouterr().out
    assert not (tmp_path / "run" / "diverged.csv").exists()
    for name in (tmp_path / "run").rglob("*.safetensors"):
        other = tmp_path / "other" / name.relative_to(tmp_path / "run")
        assert name.read_bytes() == other.read_bytes()


def test_training_says_once_that_a_simulation_blows_up(tmp_path, capfd):
    hinges(tmp_path)
    task = tmp_path / "hinges.toml"
    task.write_text(
        'xml = "hinges.xml"\nframe_skip = 1\ntime_limit = 100\n'
        'reset = [{ term = "set", target = "qpos", value = 0.1 }]\n'
        'observation = [{ term = "qpos" }, { term = "qvel" }]\n'
        'reward = [{ term = "coordinate_velocity" }]\n'
    )
    train(tmp_path / "run", "--task", str(task))
    out, error = capfd.readouterr()
    assert len(re.findall(r"\niteration 0: \d+ trajectories ended because", error)) == 1
    total = int(read_metrics(tmp_path / "run")["diverged"].sum())
    assert f"{total} trajectories ended because the simulation blew up" in out and total > 3


def test_the_command_line_names_the_lost_trial_once(tmp_path, capfd, monkeypatch):
    original = Run.iterations

    def spoiled(self):
        spoil(self.trainer)
        return original(self)

    monkeypatch.setattr(Run, "iterations", spoiled)
    train(tmp_path / "run")
    out, error = capfd.readouterr()
    assert error.count("trial 1 diverged at iteration 0 (parameter); the other trials go on") == 1
    assert "1 of 3 trials diverged, see diverged.csv" in out


def agents_on(task, **changes):
    return Block(task, small_config(trials=2, normalize_rewards=False, **changes), [4, 5])


def test_causes(tmp_path):
    """What was first not finite, with the term of a reward."""
    plain = hinges(tmp_path)
    terms = (pgcore.Term.of("coordinate_velocity"), pgcore.Term.of("control_cost", weight=1e308))
    costly = hinges(tmp_path, reward=terms)
    hopper = pgcore.make_task("Hopper-v2")
    for task, changes, causes in (
        (costly, {}, {"reward"}),
        (plain, {}, {"action"}),
        (hopper, {"value_lr": 1e30}, {"loss", "gradient"}),
    ):
        agents = agents_on(task, **changes)
        if causes == {"action"}:
            agents.policy.flat[:, -task.act_dim :] = 1e4  # log_std
        metrics = agents.iterate(0).metrics
        assert (agents.diverged[:, 0] == 0).all(), causes
        assert {CAUSES[c] for c in agents.diverged[:, 1]} <= causes
        assert (metrics.pop("environment_steps") == 0).all()  # trained on nothing
        assert all(np.isnan(m).all() for m in metrics.values())
        if causes == {"reward"}:
            assert agents.diverged[:, 2].tolist() == [1, 1]


def test_no_trial_left_is_an_error_of_its_own(tmp_path):
    with pytest.raises(DivergedError), Run(tmp_path, small_config(policy_lr=300.0)) as opened:
        list(opened.iterations())


def test_studies_take_the_trials_that_are_left(tmp_path):
    config = small_config(iterations=2, keep=(0,))
    run(tmp_path, config, 1)
    kept = Agents.of(tmp_path, [0, 2])
    at = [{"agent": "ppo", "iteration": i, "trial": t} for i in (0, 2) for t in range(3)]
    assert [kept.has(a) for a in at] == [True, True, True, True, False, True]
    named = "ppo: trial 1 diverged at iteration 1 (parameter)"
    assert kept.provenance()["trials_left_out"] == named
    assert Agents.of(tmp_path, [2]).dims["trial"] == [0, 2]
    first = Agents.of(tmp_path, [0])
    assert first.dims["trial"] == [0, 1, 2] and not first.left_out, "it was fine until then"
    assert Agents.of(tmp_path, [2], 1).dims["trial"] == [0]
    with pytest.raises(ValueError, match=r"at most 2.*got 3; left out: ppo: trial 1 diverged"):
        Agents.of(tmp_path, [2], 3)


def test_an_adaptive_landscape_goes_around_a_lost_trial(tmp_path):
    run(tmp_path / "run", small_config(iterations=3, keep=(0, 2)), 1)
    data = pgcore.studies.landscape(
        tmp_path / "run", tmp_path / "out", iterations=(0, 2), trials=3, sources=(100,),
        points=(2, 2), pairs=(400,), part_pairs=100, budget=6000, scout_pairs=100,
    )  # fmt: skip
    there = (data["pairs_used"] > 0).all(["step_scale", "random_scale"]).squeeze(drop=True)
    assert there.transpose("iteration", "trial").values.tolist() == [
        [True] * 3,
        [True, False, True],
    ]
    assert data["reward"].notnull().sum() == 5 * 4


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory):
    """A run whose trial 1 is sound, but its next update is one to NaN."""
    path = tmp_path_factory.mktemp("spoiled")
    with Run(path, small_config(iterations=2, keep=(0, 1))) as opened:
        next(iter(opened.iterations()))
        spoil(opened.trainer)
        opened.save()
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    {
        "step": {"steps": 2, "reward_pairs": 100, "pairs": (64,), "true_pairs": 128},
        "update": {"updates": 2, "reward_pairs": 100, "pairs": (64,)},
        "landscape": {"sources": (64,), "pairs": (64,), "points": (2, 2), "scout_pairs": 100},
    }.items(),
)
def test_a_trial_whose_own_update_diverges_is_left_out(
    spoiled, tmp_path, capsys, monkeypatch, name, settings
):
    """The others are measured, the reason is said, and nothing is tried again."""
    settings = settings | {"trials": 2, "iterations": (1,)}
    data = STUDIES[name].measure(spoiled, tmp_path / "a", **settings)
    capsys.readouterr()
    STUDIES[name].report(data, tmp_path / "a")
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("left out: ")]
    where, why = "agent ppo, iteration 1, trial 1, ", "its own update diverges: parameters that"
    assert len(lines) == 1 and lines[0].startswith(f"left out: {where}") and why in lines[0]
    known = data["reward" if name == "landscape" else "surrogate"].notnull()
    known = known.any([d for d in known.dims if d not in ("iteration", "trial")])
    assert known.values.tolist() == [[True, False]]
    monkeypatch.setattr(pgcore.Agent, "updated", None)  # nothing calls it again
    again = STUDIES[name].measure(spoiled, tmp_path / "a", **settings)
    assert_same_dataset(data, again)
    assert "its own update diverges" in reported(tmp_path / "a", tmp_path / "page")


def test_tables_and_titles_tell_what_blew_up():
    data = xr.Dataset({"diverged": ("n", [1.0, 2.0]), "trajectories": ("n", [100.0, 100.0])})
    note = divergence_note(data)
    assert note == "1.5 % of the trajectories ended because the simulation blew up"
    data["diverged"] *= 0.5
    assert divergence_note(data) == "" == divergence_note(data.drop_vars("diverged"))


def test_studies_count_what_blew_up(tmp_path):
    task = hinges(tmp_path)
    agent = pgcore.Agent(task, make_policy(task, 1), pgcore.ValueNet(4))
    sums = sum_gradients(agent, 200, np.array([0, 1000]), 1, Sampling(stream_steps=100), 1)
    assert (sums.diverged > 5).all() and (sums.diverged <= sums.trajectories).all()
    policies = agent.policy.with_members(agent.policy.flat.repeat(2, 1))
    rewards = reward_sums(agent, policies, 200, 1, True, 0, 1)
    assert (rewards.diverged > 5).all() and (rewards.diverged <= rewards.count).all()
