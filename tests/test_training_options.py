"""Trajectories that persist, a target KL, and networks with settings of their own."""

import dataclasses

import numpy as np
import pytest
import torch

import pgcore
from conftest import make_policy, small_config
from pgcore.learning import ppo
from pgcore.learning.data import Orders, TrainingData
from pgcore.learning.optimizer import Adam
from pgcore.rollout.batch import cut_trajectories, trajectory_metrics
from pgcore.training.block import Block
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.command_line import train
from pgcore.training.records import read_metrics
from pgcore.training.run import Run
from pgcore.training.trainer import Trainer


def run(path, config, stop_after=None, resume=False, threads=2):
    with Run(path, config, resume=resume, num_threads=threads) as opened:
        for record in opened.iterations():
            if record.iteration + 1 == stop_after:
                break


def newest(path):
    return load_checkpoint(path / "checkpoints" / "latest.safetensors")


# Persistent trajectories


@pytest.mark.parametrize("task", ["Hopper-v2", "Humanoid-v2"])
def test_resume_is_exact_in_the_middle_of_trajectories(tmp_path, task):
    config = small_config(task=task, streams=2, pairs=64, persist=True, iterations=5)
    run(tmp_path / "whole", config, threads=1)
    run(tmp_path / "cut", config, stop_after=3, threads=3)
    run(tmp_path / "cut", config, resume=True, threads=2)
    whole, cut = newest(tmp_path / "whole"), newest(tmp_path / "cut")
    assert whole.state["course.step"].any(), "some stand in the middle of a trajectory"
    for name, array in whole.state.items():
        np.testing.assert_array_equal(cut.state[name], array, err_msg=name)
    tables = [(tmp_path / p / "metrics.csv").read_bytes() for p in ("whole", "cut")]
    assert tables[0] == tables[1]


def test_an_iteration_begins_where_the_last_one_ended():
    config = small_config(task="HalfCheetah-v4", trials=2, persist=True, pairs=100)
    trainer = Trainer(config)
    block = trainer.blocks[0]
    first = block.rollout(0, 1)
    block.trajectories(first)
    second = block.rollout(1, 1)
    np.testing.assert_array_equal(second.obs[:, 0], first.bootstrap_obs)
    assert (block.normalizer.count == 201).all(), "it is counted once"
    fresh = Trainer(dataclasses.replace(config, persist=False)).blocks[0]
    fresh.rollout(0, 1)
    assert (fresh.rollout(1, 1).obs[:, 0] != first.bootstrap_obs).any()


def test_returns_are_those_of_whole_trajectories():
    """Cut into pieces of 30, with what came before carried on, against one piece."""
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2)
    whole = pgcore.collect(task, policy, 240, 2, seed=8)
    expected = trajectory_metrics(whole, 2)
    earlier, start, found = np.zeros((4, 2)), None, []
    for _ in range(8):
        piece = pgcore.collect(task, policy, 30, 2, seed=8, start=start, keep_end=True)
        found.append(trajectory_metrics(piece, 2, earlier))
        earlier, start = cut_trajectories(piece, earlier), piece.end
    for name, best in (("return_min", np.nanmin), ("return_max", np.nanmax)):
        values = best([f[name] for f in found], axis=0)
        np.testing.assert_allclose(values, expected[name], rtol=1e-12, err_msg=name)
    ended = whole.terminated | whole.truncated
    for s in range(4):  # what is still in hand
        tail = whole.rewards[s, np.nonzero(ended[s])[0].max() + 1 :]
        np.testing.assert_allclose(earlier[s], [tail.sum(), len(tail)], rtol=1e-12)


@pytest.mark.parametrize("live", [True, False])
def test_open_environments_give_in_two_calls_what_one_would(live):
    """At a cut inside a trajectory, at its end, and with statistics that follow."""
    task = pgcore.make_task("gym:Pendulum-v1")
    policy = make_policy(task, 2, (8,))
    normalizer = pgcore.Normalizer.create(3, 2)
    options = {"streams": 1 if live else 2, "seed": 6, "update_normalizer": live}
    whole = pgcore.collect(task, policy, 230, normalizer=normalizer, **options)
    for cut in (120, 200):  # its time limit is 200
        first = pgcore.collect(task, policy, cut, normalizer=normalizer, keep_end=True, **options)
        known = first.normalizer if live else normalizer
        second = pgcore.collect(
            task, policy, 230 - cut, normalizer=known, start=first.end, **options
        )
        for name in ("obs", "inputs", "actions", "rewards", "truncated"):
            both = np.concatenate([getattr(first, name), getattr(second, name)], axis=1)
            np.testing.assert_array_equal(both, getattr(whole, name), err_msg=name)
        if live:
            np.testing.assert_array_equal(second.normalizer.m2, whole.normalizer.m2)
    with pytest.raises(ValueError, match="start: expected 6 streams of gym:Pendulum-v1, got"):
        pgcore.collect(task, policy, 5, 3, start=first.end)


def test_a_run_of_open_environments_says_that_resume_is_not_exact(tmp_path, capsys):
    """Pendulum's trajectories of 200 steps go through iterations of 64 pairs."""
    settings = [
        "--pairs",
        "64",
        "--minibatches",
        "4",
        "--value-epochs",
        "1",
        "--policy-epochs",
        "1",
    ]
    task = ["--task", "gym:Pendulum-v1", "--persist", "--iterations", "4", *settings]
    train([*task, "--trials", "2", "--out", str(tmp_path)])
    lengths = read_metrics(tmp_path)["length_mean"]
    assert np.isnan(lengths[:3]).all() and (lengths[3] == 200).all()
    assert "not exact" not in capsys.readouterr().err
    train(["--resume", "--iterations", "5", "--out", str(tmp_path)])
    said = capsys.readouterr().err
    assert (
        "resume is not exact: only gym:Pendulum-v1 itself knew where its trajectories stood" in said
    )


# Target KL


def update(policy, data, settings, seed=0, labels=None):
    labels = list(range(policy.members)) if labels is None else labels
    optimizer = Adam(policy.flat, policy.flat_grad, settings.policy_lr, settings.adam_eps)
    return ppo.update(policy, data, settings, optimizer, Orders(seed, labels, 0))


@pytest.fixture(scope="module")
def batch():
    trainer = Trainer(small_config(trials=4, pairs=256))
    block = Block(trainer.task, trainer.config, [0, 1, 2, 3])
    return block.policy, block.training_data(block.rollout(0, 1))


def test_each_agent_stops_by_its_own_kl(batch):
    policy, data = batch
    settings = ppo.PpoSettings(policy_lr=3e-3, policy_epochs=6, minibatches=4)
    free = policy.with_members(policy.flat)
    kls = []
    for epochs in range(1, 7):
        free = policy.with_members(policy.flat)
        made = dataclasses.replace(settings, policy_epochs=epochs)
        kls.append(update(free, data, made)["kl"].numpy())
    kls = np.array(kls)  # [passes, member] of an update that nothing stops
    target = float(np.median(kls[2]))
    expected = np.array([np.argmax(k > target) + 1 if (k > target).any() else 6 for k in kls.T])
    assert len(set(expected)) > 1, "they differ, or the test says nothing"
    stack = policy.with_members(policy.flat)
    stats = update(stack, data, dataclasses.replace(settings, target_kl=target))
    np.testing.assert_array_equal(stats["policy_passes"].numpy(), expected)
    for m, passes in enumerate(expected):
        np.testing.assert_allclose(stats["kl"][m], kls[passes - 1, m], rtol=1e-3)
        # as alone, from the same pairs and orders
        alone = policy.with_members(policy.flat[m : m + 1])
        own = TrainingData(*(getattr(data, f)[m : m + 1] for f in data.__dataclass_fields__))
        update(alone, own, dataclasses.replace(settings, target_kl=target), labels=[m])
        torch.testing.assert_close(alone.flat[0], stack.flat[m], atol=2e-5, rtol=0)


def test_target_kl_trains_and_resumes(tmp_path):
    config = small_config(target_kl=1e-3, policy_lr=3e-3)
    run(tmp_path / "whole", config)
    run(tmp_path / "cut", config, stop_after=2)
    run(tmp_path / "cut", config, resume=True)
    for name, array in newest(tmp_path / "whole").state.items():
        np.testing.assert_array_equal(newest(tmp_path / "cut").state[name], array, err_msg=name)
    steps = newest(tmp_path / "whole").state["policy.step"]
    passes = read_metrics(tmp_path / "whole")["policy_passes"]
    np.testing.assert_array_equal(steps, passes.sum(axis=0) * 4)
    assert passes.min() == 1


# Networks


@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "a2c"])
def test_networks_have_settings_of_their_own(tmp_path, algorithm):
    config = small_config(
        algorithm=algorithm,
        normalize_advantages="batch",
        iterations=2,
        activation="elu",
        value_activation="relu",
        value_hidden=(5,),
        init="orthogonal",
        value_init="xavier",
        value_minibatches=8,
        std="state",
        std_map="softplus",
        mean_map="tanh",
    )
    run(tmp_path, config)
    checkpoint = newest(tmp_path)
    agent = checkpoint.agent()
    assert agent.value.activation == "relu" and agent.value.hidden == (5,)
    kind = agent.policy.kind()
    assert (kind["activation"], kind["std"], kind["std_map"], kind["mean_map"]) == (
        "elu", "state", "softplus", "tanh",
    )  # fmt: skip
    trainer = Trainer(config)
    trainer.load_state(checkpoint.state, checkpoint.iteration)
    assert torch.equal(agent.value.flat[2:], trainer.blocks[1].value.flat)
    assert (checkpoint.state["value.step"] == 2 * 2 * 8).all()
    batch = agent.collect(50, seed=3)
    assert np.abs(batch.actions).max() < 8 and np.isfinite(batch.log_probs).all()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"activation": "sine"}, "activation: expected one of tanh, relu"),
        ({"value_activation": "sine"}, "value_activation: expected one of"),
        ({"mean_map": "cut"}, "mean_map: expected one of"),
        ({"target_kl": 0.0}, "target_kl: expected a number > 0, got 0.0"),
        ({"value_max_grad_norm": -1.0}, "value_max_grad_norm: expected a number > 0"),
        ({"value_minibatches": 0}, "value_minibatches: expected an integer >= 1, got 0"),
        ({"value_minibatches": 999}, "value_minibatches: expected at most pairs"),
    ],
)
def test_bad_settings_are_named(changes, line):
    with pytest.raises(ValueError, match=line):
        small_config(**changes)
