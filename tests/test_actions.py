"""Maps from the sampled action to what the task gets: native, twin, agents and training."""

import dataclasses
import math
import re

import numpy as np
import pytest

import pgcore
from conftest import assert_same_batch, ball_spec, make_policy
from pgcore.tasks.actions import ACTION_MAPS, action_bounds, mapped_actions
from pgcore.training import Run, TrainConfig
from pgcore.training.checkpoint import load_checkpoint
from zoo import MODELS, spec_of

MUSCLES = spec_of(MODELS / "muscles.xml", forces=False)


def written_out(actions, u, low, high):
    """The maps as the table of them says, one number at a time."""
    if actions == "none":
        return u
    if actions == "clip":
        return min(max(u, low), high)
    unit = math.tanh(u) if actions == "tanh" else min(max(u, -1.0), 1.0)
    return (low + high) / 2 + (high - low) / 2 * unit


@pytest.mark.parametrize("task_id", ["Humanoid-v4", "Pusher-v5"])
@pytest.mark.parametrize("actions", ACTION_MAPS)
def test_what_the_task_gets_is_the_map_of_the_sample(task_id, actions):
    """The recorded action and its log-probability stay the sample's; costs see the mapped one."""
    task = pgcore.make_task(task_id)
    policy = make_policy(task, 1, (8,), spread=0.5)
    batch = pgcore.collect(task, policy, 4, seed=2, actions=actions)
    plain = pgcore.collect(task, policy, 4, seed=2)
    np.testing.assert_array_equal(batch.actions[:, 0], plain.actions[:, 0])
    np.testing.assert_array_equal(batch.log_probs[:, 0], plain.log_probs[:, 0])
    low, high = action_bounds(task)
    u = batch.actions.astype(np.float64)
    expected = [
        [written_out(actions, x, a, b) for x, a, b in zip(row, low, high, strict=True)]
        for row in u[0]
    ]
    controls = mapped_actions(actions, u, low, high)
    np.testing.assert_allclose(controls[0], expected, rtol=1e-15, atol=1e-16)  # the last bit
    twin = pgcore.collect(task, policy, 2, seed=2, actions=actions, backend="python")
    np.testing.assert_allclose(twin.actions, batch.actions[:, :2], atol=1e-5)  # torch's network
    np.testing.assert_allclose(twin.rewards, batch.rewards[:, :2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("actions", ACTION_MAPS)
def test_native_controls_are_the_twin_s_to_the_bit(actions):
    """A cost of the action alone is the action: sum of squares of one muscle's activation."""
    term = pgcore.Term.of
    spec = dataclasses.replace(MUSCLES, reward=(term("control_cost", weight=1.0),))
    task = pgcore.make_task(spec)
    policy = make_policy(task, 1, (8,), spread=1.0)
    batch = pgcore.collect(task, policy, 200, seed=3, actions=actions)
    low, high = action_bounds(task)
    controls = mapped_actions(actions, batch.actions[0].astype(float), low, high)
    paid = np.zeros(200)
    for a in controls.T:
        paid += a * a
    np.testing.assert_array_equal(batch.rewards[0], -paid)
    if actions in ("scale", "tanh"):
        unit = (controls - low) / (high - low)
        assert (low == 0).any() and (low < 0).any(), "muscles, and others"
        assert (unit >= 0).all() and (unit <= 1).all()
        assert (unit.min(axis=0) < 0.1).all() and (unit.max(axis=0) > 0.9).all()


@pytest.mark.parametrize("actions", ["scale", "tanh"])
def test_squashed_rollouts_do_not_depend_on_threads(actions):
    task = pgcore.make_task(MUSCLES)
    policy = make_policy(task, 2, (8,))
    one, two = (
        pgcore.collect(task, policy, 30, 3, seed=4, actions=actions, num_threads=n) for n in (1, 2)
    )
    assert_same_batch(one, two)


@pytest.mark.parametrize("actions", ["scale", "tanh"])
def test_gymnasium_environments_get_the_same_map(actions):
    """Pendulum's torque is in [-2, 2]; its cost has the torque in it."""
    task = pgcore.make_task("gym:Pendulum-v1")
    policy = make_policy(task, 1, (8,), spread=1.0)
    batch = pgcore.collect(task, policy, 5, seed=1, actions=actions, num_threads=1)
    env = task.make()
    for t in range(5):
        x, y, speed = batch.obs[0, t]
        angle = math.atan2(y, x)
        u = mapped_actions(actions, batch.actions[0, t].astype(float), -2.0, 2.0)[0]
        cost = angle**2 + 0.1 * speed**2 + 0.001 * u**2
        assert batch.rewards[0, t] == pytest.approx(-cost, rel=1e-4)
    env.close()


def test_a_control_without_a_range_is_refused_by_name(tmp_path):
    """Both maps need one; clip leaves such a control as it is."""
    spec = ball_spec(tmp_path)
    task = pgcore.make_task(spec)
    policy = make_policy(task, 1, (4,))
    named = re.escape(task.native.action_table()[0][0])
    for actions in ("scale", "tanh"):
        wanted = f"actions: {actions!r} needs the range of every control, and '{named}' of "
        with pytest.raises(ValueError, match=wanted):
            pgcore.collect(task, policy, 3, actions=actions)
        with pytest.raises(ValueError, match=wanted):
            pgcore.Agent(task, policy, actions=actions)
        with pytest.raises(ValueError, match=wanted):
            Run(tmp_path / "run", TrainConfig(task=spec, actions=actions, pairs=64))
    assert not (tmp_path / "run").exists()
    clipped, whole = (pgcore.collect(task, policy, 3, actions=a) for a in ("clip", "none"))
    assert_same_batch(clipped, whole)
    with pytest.raises(ValueError, match="actions: expected one of none, clip, scale, tanh"):
        pgcore.collect(task, policy, 3, actions="squash")


@pytest.mark.parametrize("actions", ["scale", "tanh"])
def test_a_squashed_agent_trains_is_kept_and_studied(tmp_path, actions):
    """What training, the agent's file and a study collect is one map."""
    config = TrainConfig(
        task=MUSCLES,
        trials=1,
        iterations=2,
        pairs=64,
        minibatches=2,
        actions=actions,
        hidden=(8,),
        value_hidden=(8,),
    )
    with Run(tmp_path / "run", config, num_threads=1) as run:
        list(run.iterations())
    agent = load_checkpoint(tmp_path / "run" / "checkpoints" / "latest.safetensors").agent()
    assert agent.actions == actions
    agent.save(tmp_path / "a.safetensors")
    again = pgcore.load_agent(tmp_path / "a.safetensors")
    assert again.actions == actions and again.digest() == agent.digest()
    assert agent.digest() != dataclasses.replace(agent, actions="clip").digest()
    batch, direct = (
        again.collect(20),
        pgcore.collect(agent.task, agent.policy, 20, normalizer=agent.normalizer, actions=actions),
    )
    assert_same_batch(batch, direct)
    data = pgcore.studies.gradient_quality(
        {"run": tmp_path / "run", "mine": again},
        tmp_path / "study",
        pairs=(32,),
        estimates=2,
        true_pairs=64,
        true_step_pairs=128,
        iterations=(2,),
        trials=1,
    )
    at_end = data["gram"].isel(trial=0).sel(iteration=2)
    np.testing.assert_array_equal(at_end.sel(agent="run"), at_end.sel(agent="mine"))
