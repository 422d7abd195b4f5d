"""Training runs: reproducible, resumable after any interruption, and checked before they start."""

import dataclasses
import random
import signal
import time

import numpy as np
import pytest

import pgcore
from campaigns import warm
from campaigns.targets import SMALL_RUN, go_on
from conftest import small_config
from pgcore.training.checkpoint import load_checkpoint, save_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.presets import FAMILIES, preset_config, preset_differences
from pgcore.training.records import read_metrics
from pgcore.training.run import Run
from pgcore.training.trainer import Trainer


def run_to_end(path, config, resume=False, stop_after=None, threads=None):
    with Run(path, config, resume=resume, num_threads=threads) as run:
        for record in run.iterations():
            if stop_after is not None and record.iteration + 1 == stop_after:
                break
    return run


def assert_same_run(a, b):
    """Final state and metrics of two run folders, equal to the bit."""
    first, second = (load_checkpoint(p / "checkpoints" / "latest.safetensors") for p in (a, b))
    assert first.iteration == second.iteration
    for name, array in first.state.items():
        np.testing.assert_array_equal(array, second.state[name], err_msg=name)
    assert (a / "metrics.csv").read_bytes() == (b / "metrics.csv").read_bytes()


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_same_seed_same_bits_for_any_threads(tmp_path, algorithm):
    config = small_config(algorithm=algorithm, normalize_advantages="batch")
    run_to_end(tmp_path / "a", config, threads=1)
    run_to_end(tmp_path / "b", config, threads=3)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    run_to_end(tmp_path / "c", dataclasses.replace(config, seed=1))
    other = read_metrics(tmp_path / "c")["return_mean"]
    assert not np.array_equal(other, read_metrics(tmp_path / "a")["return_mean"])


def test_a_trial_is_the_same_agent_in_any_number_of_trials():
    metrics = {}
    for trials in (1, 3):
        trainer = Trainer(small_config(trials=trials, iterations=1))
        metrics[trials] = next(iter(trainer.run())).metrics, trainer.state()
    for name in ("return_mean", "trajectories"):
        assert metrics[1][0][name][0] == metrics[3][0][name][0]
    one, three = (metrics[t][1]["policy.flat"][0] for t in (1, 3))
    np.testing.assert_allclose(one, three, atol=1e-5)  # float32 sums of other batch sizes
    assert len(np.unique(metrics[3][0]["return_mean"])) == 3


def test_trials_may_be_in_a_run_of_their_own(tmp_path):
    """Trials 1 and 2 of three, each alone in its block, as trial 2 is in the run of all."""
    run_to_end(tmp_path / "all", small_config(block=1))
    run_to_end(tmp_path / "rest", small_config(block=1, trials=2, first_trial=1))
    whole, rest = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest.safetensors")
        for name in ("all", "rest")
    )
    for name, array in rest.state.items():
        np.testing.assert_array_equal(array, whole.state[name][1:], err_msg=name)
    assert rest.agent().origin["trials"] == [1, 2]
    run_to_end(
        tmp_path / "rest", small_config(block=1, trials=2, first_trial=1, iterations=5), True
    )
    run_to_end(tmp_path / "all", small_config(block=1, iterations=5), True)
    after = read_metrics(tmp_path / "rest")["return_mean"]
    np.testing.assert_array_equal(after, read_metrics(tmp_path / "all")["return_mean"][:, 1:])


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_resume_gives_the_bits_of_an_uninterrupted_run(tmp_path, algorithm):
    config = small_config(algorithm=algorithm, normalize_advantages="batch", save_every=2)
    run_to_end(tmp_path / "whole", config)
    run_to_end(tmp_path / "cut", config, stop_after=3)  # one iteration past the checkpoint
    run_to_end(tmp_path / "cut", config, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    kept = sorted(p.name for p in (tmp_path / "cut" / "checkpoints").glob("0*"))
    assert kept == ["000000.safetensors", "000002.safetensors", "000004.safetensors"]


@pytest.mark.timeout(300)
def test_sigkill_at_20_random_moments_then_resume(tmp_path):
    """Killed again and again, a run ends with the bits of one that was left alone."""
    cheap = {"pairs": 64, "minibatches": 2, "policy_epochs": 1, "value_epochs": 1}
    config = small_config(iterations=120, keep=(60,), **cheap)
    run_to_end(tmp_path / "whole", config)
    rng = random.Random(0)
    table = tmp_path / "cut" / "metrics.csv"
    kills = 0
    while kills < 20:
        process = warm.start(go_on, tmp_path / "cut", config)
        before = table.stat().st_size if table.exists() else 0
        while process.is_alive() and (not table.exists() or table.stat().st_size == before):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    run_to_end(tmp_path / "cut", config, resume=True)
    assert kills == 20
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_a_checkpoint_that_loads(tmp_path, number):
    out = tmp_path / "run"
    training = warm.Pgcore(
        "train", *SMALL_RUN, "--iterations", 100000, "--keep", 3, "--out", out,
        log=tmp_path / "log",
    )  # fmt: skip
    table = out / "metrics.csv"
    training.wait_for(lambda: table.exists() and table.stat().st_size > 1000)
    training.signal(number)
    status, said = training.end()
    assert status == 130
    name = "Ctrl-C" if number == signal.SIGINT else "SIGHUP"
    assert f"stopping after this iteration; {name} again stops at once" in said
    assert "stopped after iteration" in said and "--resume" in said
    assert "Traceback" not in said
    checkpoint = load_checkpoint(out / "checkpoints" / "latest.safetensors", "Hopper-v2")
    assert checkpoint.iteration == len(read_metrics(out)["kl"])
    assert pgcore.evaluate(checkpoint.task(), checkpoint.agent().policy, 10).lengths.sum() >= 20


def test_checkpoints_are_checked(tmp_path):
    config = small_config(iterations=1)
    run_to_end(tmp_path, config)
    path = tmp_path / "checkpoints" / "latest.safetensors"
    content = path.read_bytes()
    with pytest.raises(pgcore.CheckpointError, match="is for task Hopper-v2, expected Walker2d-v2"):
        load_checkpoint(path, "Walker2d-v2")
    with pytest.raises(pgcore.CheckpointError, match="no file"):
        load_checkpoint(tmp_path / "nothing")
    spoiled = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "text": b"hello " * 100,
        "flipped": content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    }
    for name, bad in spoiled.items():
        path.write_bytes(bad)
        with pytest.raises(pgcore.CheckpointError, match="corrupt"):
            load_checkpoint(path)
        with pytest.raises(pgcore.CheckpointError):
            run_to_end(tmp_path, config, resume=True)
        assert path.read_bytes() == bad, f"{name}: the file is left for inspection"


def test_checkpoint_round_trip(tmp_path):
    trainer = Trainer(small_config(iterations=1))
    list(trainer.run())
    save_checkpoint(tmp_path / "c", trainer.config, 1, trainer.state(), trainer.task)
    loaded = load_checkpoint(tmp_path / "c")
    assert loaded.config == trainer.config and loaded.iteration == 1
    agent = loaded.agent()
    policy, value, normalizer = agent.policy, agent.value, agent.normalizer
    assert np.array_equal(policy.flat.numpy()[1], trainer.blocks[1].policy.flat.numpy()[0]) or (
        np.array_equal(policy.flat.numpy()[1], trainer.blocks[0].policy.flat.numpy()[1])
    )
    assert value.members == 3 and normalizer.count.min() > 128


def test_a_run_is_not_mixed_with_another(tmp_path):
    config = small_config(iterations=1)
    run_to_end(tmp_path, config)
    with pytest.raises(ValueError, match="already holds a run; add --resume"):
        run_to_end(tmp_path, config)
    with pytest.raises(ValueError, match=r"other settings \(gamma: 0.99 there, 0.9 here\)"):
        run_to_end(tmp_path, dataclasses.replace(config, gamma=0.9), resume=True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"trials": 0}, "trials: expected an integer >= 1, got 0"),
        ({"pairs": -1}, "pairs"),
        ({"gamma": 2.0}, "gamma: expected a number from 0 to 1"),
        ({"policy_lr": 0.0}, "policy_lr: expected a number > 0"),
        ({"pairs": 100, "streams": 3}, "pairs: expected a multiple of streams"),
        ({"minibatches": 4096}, "minibatches: expected at most pairs"),
        ({"algorithm": "trpo"}, "normalize_advantages: trpo has no minibatches"),
        ({"fisher_fraction": 0.0}, "fisher_fraction"),
        ({"value_epochs": 0}, "value_epochs: expected an integer from 1 to 10000, got 0"),
    ],
)
def test_bad_settings_are_named(change, text):
    with pytest.raises(ValueError, match=text):
        TrainConfig(**change)


def test_presets_are_table_1():
    humanoid = preset_config("paper", "Humanoid-v2", "ppo")
    assert (humanoid.policy_lr, humanoid.value_lr) == (2.5e-4, 1e-4)
    assert (humanoid.gamma, humanoid.lam, humanoid.pairs, humanoid.clip) == (0.99, 0.95, 2048, 0.2)
    assert humanoid.normalize_rewards and humanoid.reward_clip == 10 and humanoid.obs_clip == 10
    kl = {
        f: preset_config("paper", f"{f}-v2", "trpo").kl for f in ("Humanoid", "Walker2d", "Hopper")
    }
    assert kl == {"Humanoid": 0.07, "Walker2d": 0.04, "Hopper": 0.13}
    hopper = preset_config("paper", "Hopper-v2", "trpo")
    assert (hopper.fisher_fraction, hopper.cg_steps, hopper.cg_damping) == (0.1, 10, 0.1)
    assert not hopper.normalize_rewards and hopper.init == "xavier"
    differ = {(f, a, n) for f, a, n, _, _ in preset_differences()}
    everywhere = {(f, a, "iterations") for f in FAMILIES for a in ("ppo", "trpo")}
    search = {(f, "trpo", n) for f in FAMILIES for n in ("backtracks", "fisher_fraction")}
    assert differ == everywhere | search | {
        ("Hopper", "ppo", "policy_lr"),
        ("Hopper", "ppo", "value_lr"),
        ("Humanoid", "ppo", "policy_lr"),
    }
    companion = preset_config("companion", "Hopper-v2", "trpo")
    assert round(companion.fisher_fraction * companion.pairs) == 204
    assert companion.iterations * companion.pairs < 1_000_000 < 489 * companion.pairs
    with pytest.raises(ValueError, match="exists for Humanoid, Walker2d, Hopper only"):
        preset_config("paper", "HalfCheetah-v4", "ppo")


def test_zero_baseline_uses_returns():
    trainer = Trainer(small_config(trials=1, baseline="zero", normalize_rewards=False))
    agents = trainer.blocks[0]
    batch = agents.rollout(0, 1)
    data = agents.training_data(batch)
    zeros = np.zeros_like(batch.rewards)
    returns = pgcore.discounted_returns(batch.rewards, zeros, batch.terminated, batch.truncated)
    np.testing.assert_allclose(data.advantages[0].numpy(), returns[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("iterations", "kept"),
    [(500, (0, 150, 300, 450, 500)), (451, (0, 150, 300, 450, 451)), (4, (0, 1, 2, 3, 4))],
)
def test_what_a_run_keeps_fits_its_length(iterations, kept):
    assert TrainConfig(iterations=iterations).kept() == kept


def test_a_short_run_leaves_something_to_study(tmp_path):
    """Also with a learning rate that falls to 0, and without iterations that nobody asked for."""
    config = preset_config("paper", "Hopper-v2", "ppo")
    small = {"iterations": 4, "pairs": 128, "minibatches": 4, "hidden": (8,), "value_hidden": (8,)}
    run_to_end(tmp_path / "run", dataclasses.replace(config, **small))
    study = pgcore.studies.STUDIES["value"]
    for iterations, last in (None, 3), ((0, 1), 1):
        settings = {"iterations": iterations}
        _, plans = study.plan(str(tmp_path / "run"), tmp_path / "out", None, settings)
        planned = plans["errors.zarr"].schema.cell_dims["iteration"]
        assert planned == list(iterations or (0, 1, 2, 3))
        assert plans["variance.zarr"].schema.cell_dims["iteration"] == [last]


def test_settings_of_an_older_pgcore_that_kept_too_much_are_read():
    values = small_config(iterations=4).to_dict() | {"keep": [0, 2, 150, -5]}
    assert TrainConfig.from_dict(values).keep == (0, 2)
