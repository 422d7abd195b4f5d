"""The states of a rollout are the simulator's: plain MuJoCo goes on from them to equal bits."""

import mujoco
import numpy as np
import pytest

import pgcore
from conftest import assert_same_batch, make_policy
from pgcore.rollout.twin import make_env


def test_plain_mujoco_goes_on_from_a_kept_state():
    """By positions and velocities; HalfCheetah takes no other rule of contacts."""
    task = pgcore.make_task("HalfCheetah-v4")
    policy = make_policy(task, 1, (8,))
    batch = pgcore.collect(task, policy, 20, 2, seed=1, keep_states=True)
    plain = pgcore.collect(task, policy, 20, 2, seed=1)
    for name, array in plain.arrays().items():
        np.testing.assert_array_equal(getattr(batch, name), array)
    assert plain.states is None and plain.qpos is None and plain.qvel is None
    model = make_env(task).unwrapped.model
    data = mujoco.MjData(model)
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    assert batch.states.shape == (2, 20, mujoco.mj_stateSize(model, kind))
    for s, t in ((0, 0), (0, 11), (1, 18)):
        mujoco.mj_setState(model, data, batch.states[s, t], kind)
        np.testing.assert_array_equal([*data.qpos[1:], *data.qvel], batch.obs[s, t])
        np.testing.assert_array_equal(data.qpos, batch.qpos[s, t])
        np.testing.assert_array_equal(data.qvel, batch.qvel[s, t])
        data.ctrl[:] = batch.actions[s, t]
        mujoco.mj_step(model, data, task.spec.frame_skip)
        np.testing.assert_array_equal([*data.qpos[1:], *data.qvel], batch.obs[s, t + 1])


def test_threads_and_refusals():
    task = pgcore.make_task("Hopper-v4")
    policy = make_policy(task, 1, (8,))
    one, two = (
        pgcore.collect(task, policy, 30, 3, seed=2, keep_states=True, num_threads=n) for n in (1, 2)
    )
    assert_same_batch(one, two)
    np.testing.assert_array_equal(one.states, two.states)
    with pytest.raises(ValueError, match="keep_states: expected a native run"):
        pgcore.collect(task, policy, 3, backend="python", keep_states=True)
