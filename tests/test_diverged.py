"""A simulation that blows up ends its trajectory; what the engine makes of it is not data."""

import dataclasses
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.mujoco import MujocoEnv

import pgcore
from conftest import make_policy
from pgcore import Normalizer, _core
from pgcore.rollout.batch import trajectory_metrics
from pgcore.rollout.monte_carlo import monte_carlo_values
from pgcore.training.records import Table

HINGES = """
<mujoco><option timestep="0.02"/><worldbody>
  <body><joint name="a" type="hinge" axis="0 1 0"/>
    <geom type="capsule" fromto="0 0 0 .5 0 0" size=".05"/>
    <body pos=".5 0 0"><joint name="b" type="hinge" axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 .5 0 0" size=".05"/></body></body></worldbody>
  <actuator><motor joint="a" gear="400"/><motor joint="b" gear="400"/></actuator></mujoco>
"""
START = 0.1  # of both hinges, so that a start is told from MuJoCo's defaults
T = 300


class HingesEnv(MujocoEnv):
    """The same in Gymnasium."""

    metadata: ClassVar = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}

    def __init__(self, path):
        space = gymnasium.spaces.Box(-np.inf, np.inf, (4,))
        super().__init__(path, 1, observation_space=space)

    def _get_obs(self):
        return np.concatenate([self.data.qpos, self.data.qvel])

    def step(self, action):
        before = self.data.qpos[0]
        self.do_simulation(action, 1)
        return self._get_obs(), (self.data.qpos[0] - before) / self.dt, False, False, {}

    def reset_model(self):
        return self._get_obs()


def hinges(tmp_path, start=START, **changes):
    path = tmp_path / "hinges.xml"
    path.write_text(HINGES)
    spec = pgcore.TaskSpec(
        id="Hinges",
        xml=str(path),
        frame_skip=1,
        time_limit=100,
        reset=(pgcore.Term.of("set", target="qpos", value=start),),
        observation=(pgcore.Term.of("qpos"), pgcore.Term.of("qvel")),
        reward=(pgcore.Term.of("coordinate_velocity"),),
    )
    return pgcore.make_task(dataclasses.replace(spec, **changes))


def wild_policy(task, log_std=1e4):
    """A standard deviation that overflows: infinite controls."""
    policy = make_policy(task, 1)
    policy.tensors[-1].data.fill_(log_std)
    return policy


@pytest.mark.parametrize("frame_skip", [1, 3])
@pytest.mark.parametrize("lowered", [True, False])
def test_a_step_that_blows_up_ends_its_trajectory(tmp_path, frame_skip, lowered):
    task = hinges(tmp_path, frame_skip=frame_skip)
    task = pgcore.make_task(task.spec, lowered=lowered)
    policy = make_policy(task)
    batch = pgcore.collect(task, policy, T, streams=2, seed=1)
    ended = batch.terminated | batch.truncated
    assert (batch.diverged.sum(axis=1) > 5).all()
    np.testing.assert_array_equal(batch.terminated, batch.diverged)
    assert not batch.rewards[batch.diverged].any()
    # every trajectory begins where resets put it: MuJoCo's own state is seen nowhere
    np.testing.assert_array_equal(batch.obs[:, 1:][ended[:, :-1]][:, :2], START)
    assert not (batch.obs == 0).all(axis=-1).any()
    assert np.abs(batch.obs).max() <= 1e10 and np.isfinite(batch.rewards).all()
    # every event is counted
    np.testing.assert_array_equal(batch.warnings, batch.diverged.sum(axis=1))
    metrics = trajectory_metrics(batch, 2)
    assert metrics["diverged"].tolist() == batch.diverged.reshape(2, -1).sum(axis=1).tolist()
    # nothing follows a divergence: no bootstrap
    cut = int(np.flatnonzero(batch.diverged[0])[2]) + 1
    short = pgcore.collect(task, policy, cut, streams=2, seed=1)
    assert short.diverged[0, -1] and [0, cut - 1] not in short.bootstrap_index.tolist()


def test_scores_name_the_trajectories_that_blew_up(tmp_path):
    task = hinges(tmp_path)
    policy = make_policy(task, 1)
    scores = pgcore.evaluate(task, policy, T, seed=1, streams=2)
    batch = pgcore.collect(task, policy, 2 * T, streams=2, seed=1)
    for s in range(2):
        ends = np.flatnonzero(batch.terminated[s] | batch.truncated[s])
        mine = scores.stream == s
        np.testing.assert_array_equal(scores.diverged[mine], batch.diverged[s, ends][: mine.sum()])
        total = sum(scores.lengths[mine][:2])
        assert batch.rewards[s, :total].sum() == pytest.approx(scores.returns[mine][:2].sum())
    assert scores.diverged.any() and scores.warnings.sum() == scores.diverged.sum()


def test_the_twin_does_the_same(tmp_path):
    path = str(tmp_path / "hinges.xml")
    if "PgcoreHinges-v0" not in gymnasium.registry:
        gymnasium.register("PgcoreHinges-v0", entry_point=HingesEnv)
    for log_std, start in ((0.0, START), (1e4, START), (0.0, 1e11)):
        task = hinges(
            tmp_path, start, gymnasium_id="PgcoreHinges-v0", gymnasium_options=(("path", path),)
        )
        policy = wild_policy(task, log_std)
        fresh = Normalizer.create(4)
        native, twin = (
            pgcore.collect(
                task, policy, 30, seed=3, backend=b, normalizer=fresh, update_normalizer=True
            )
            for b in ("native", "python")
        )
        assert native.diverged.any() and twin.diverged.any()
        # rounding of the two float32 networks grows fast in motion this wild
        for name in ("diverged", "terminated", "rewards", "obs"):
            a, b = (getattr(x, name)[:, :8] for x in (native, twin))
            np.testing.assert_allclose(a, b, rtol=1e-3, err_msg=name)
        if log_std != 0.0 or start != START:  # nothing chaotic in these
            np.testing.assert_array_equal(native.diverged, twin.diverged)
            np.testing.assert_array_equal(native.normalizer.count, twin.normalizer.count)
        assert (twin.rewards[twin.diverged] == 0).all()
        assert twin.warnings[0] >= twin.diverged.sum()


def test_starts_that_the_engine_would_not_go_on_from(tmp_path):
    for start in (1e11, -1e300):  # the second is not even a float32
        task = hinges(tmp_path, start)
        policy = make_policy(task, 1)
        fresh = Normalizer.create(4)
        for streams in (1, 2):
            batch = pgcore.collect(
                task, policy, 6, streams=streams, normalizer=fresh, update_normalizer=True
            )
            assert batch.diverged.all() and batch.terminated.all() and not batch.rewards.any()
            assert not batch.obs.any() and np.isfinite(batch.log_probs).all()
            assert len(batch.bootstrap_index) == 0
            assert (batch.warnings == 6).all()
            assert batch.normalizer.count.tolist() == [0], "stand-ins are no observations"
        scores = pgcore.evaluate(task, policy, 5)
        assert scores.diverged.all() and (scores.lengths == 1).all()


def test_a_reset_into_the_ground(tmp_path):
    """A ball 1 km under the floor is thrown out so hard that MuJoCo gives up."""
    path = tmp_path / "sunk.xml"
    path.write_text("""<mujoco><option timestep="0.02"/><worldbody>
      <geom type="plane" size="5 5 .1" solref="-1e9 0"/>
      <body><joint name="z" type="slide" axis="0 0 1"/><geom size=".1" mass="1e-3"
      solref="-1e9 0"/></body></worldbody><actuator><motor joint="z"/></actuator></mujoco>""")
    task = hinges(tmp_path, -1000.0, xml=str(path))
    batch = pgcore.collect(task, make_policy(task, 1), 10)
    assert batch.diverged[0, 0] and batch.rewards[0, 0] == 0
    np.testing.assert_array_equal(batch.obs[0, batch.diverged[0]][:, 0], -1000.0)
    assert batch.warnings[0] >= batch.diverged.sum()


def test_controls_that_are_not_numbers(tmp_path):
    task = hinges(tmp_path, reward=(pgcore.Term.of("control_cost", weight=1.0),))
    policy = wild_policy(task)
    batch = pgcore.collect(task, policy, 8, seed=1)
    assert batch.diverged.all() and not batch.rewards.any() and (batch.warnings == 8).all()
    values = monte_carlo_values(task, policy, np.array([0, 3]), 2, tail=5)
    assert values.diverged.all() and not values.returns.any()


def test_replay_stops_at_a_divergence(tmp_path):
    task = hinges(tmp_path)
    actions = np.zeros((2, 5, 2))
    actions[1, 2, 0] = np.nan
    out = _core.replay(
        task=task.native, qpos=np.full((2, 2), 0.3), qvel=np.zeros((2, 2)), actions=actions,
        num_threads=1,
    )  # fmt: skip
    assert out["diverged"].tolist() == [[False] * 5, [False] * 2 + [True] * 3]
    np.testing.assert_array_equal(out["terminated"], out["diverged"])
    for name in ("obs", "rewards", "qpos", "qvel"):
        assert not out[name][1, 2:].any(), name
    np.testing.assert_array_equal(out["obs"][0, :2], out["obs"][1, :2])


def test_ordinary_tasks_have_none():
    task = pgcore.make_task("Walker2d-v2")
    policy = make_policy(task)
    batch = pgcore.collect(task, policy, 400, streams=2)
    assert batch.terminated.any() and not batch.diverged.any()
    assert not pgcore.evaluate(task, policy, 400).diverged.any()
    assert (batch.reward_fault == -1).all()


def test_a_reward_that_is_not_finite_is_blamed_on_its_term(tmp_path):
    terms = (
        pgcore.Term.of("coordinate_velocity"),
        pgcore.Term.of("control_cost", weight=1e308),
    )
    task = hinges(tmp_path, reward=terms)
    policy = wild_policy(task, log_std=3.0)
    batch = pgcore.collect(task, policy, 3)
    assert not np.isfinite(batch.rewards).all() and not batch.diverged[0, 0]
    assert batch.reward_fault.tolist() == [1]


def test_tables_of_an_older_pgcore_go_on(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("iteration,trial,kl\n0,0,0.5\n1,0,0.25\n2,0,0.1\n")
    table = Table(path, 2)
    table.add([{"iteration": "2", "environment_steps": "96", "trial": "0", "kl": "0.3"}])
    table.add([{"iteration": "3", "trial": "0"}])
    table.close()
    assert path.read_text() == "iteration,trial,kl\n0,0,0.5\n1,0,0.25\n2,0,0.3\n3,0,nan\n"
