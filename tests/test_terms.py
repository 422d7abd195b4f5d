"""The terms themselves: what they say, what they refuse, and the laws of random starts."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats

import pgcore
from pgcore import Term, _core
from pgcore.rollout.reference_resets import reset_state
from pgcore.rollout.twin import make_env
from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS

STATE = (Term.of("qpos"), Term.of("qvel"))


def variant(task_id, **changes):
    """A built-in task with other terms."""
    return pgcore.make_task(dataclasses.replace(pgcore.make_task(task_id).spec, **changes))


def start_states(task, n, seed=0):
    """qpos and qvel [n, nq + nv] that n streams start from."""
    task = variant(task.spec.id, observation=STATE) if task.spec.observation != STATE else task
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, (4,))
    return pgcore.collect(task, policy, 1, streams=n, seed=seed).obs[:, 0]


@pytest.mark.parametrize("env_id", [e for e in ENVIRONMENTS if e.endswith("-v5")])
def test_starts_are_those_of_the_numpy_twin_and_have_the_law_of_gymnasium(env_id):
    task = pgcore.make_task(env_id)
    native = start_states(task, 2000, seed=4)
    env = make_env(task)
    inner = env.unwrapped
    qpos0, qvel0 = inner.init_qpos.copy(), inner.init_qvel.copy()
    # to the bit; 1e-14 where log, cos and sin of two libraries differ in the last place
    tolerance = 1e-14 if any(t.kind == "gaussian" for t in task.spec.reset) else 0.0
    for stream in (0, 1, 1999):
        twin = np.concatenate(reset_state(task.spec.reset, qpos0, qvel0, 4, stream, 0))
        np.testing.assert_allclose(native[stream], twin, rtol=0, atol=tolerance)

    theirs = []
    env.reset(seed=1)
    for _ in range(200):
        inner.reset_model()
        theirs.append(np.concatenate([inner.data.qpos, inner.data.qvel]))
    for ours, other in zip(native.T, np.array(theirs).T, strict=True):
        if np.ptp(other) == 0.0:
            np.testing.assert_array_equal(ours, other[0])
        else:
            # Kolmogorov and Smirnov at 1e-5: 200 entries in all, false alarm about 1 in 500
            assert stats.ks_2samp(ours, other).pvalue > 1e-5


def test_a_goal_is_uniform_in_the_disc():
    goals = start_states(pgcore.make_task("Reacher-v5"), 4000)[:, 2:4]
    radius, angle = np.hypot(*goals.T), np.arctan2(*goals.T)
    assert radius.max() < 0.2
    for uniform in ((radius / 0.2) ** 2, angle / (2 * np.pi) + 0.5):
        assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    # independent: correlations of 4000 have std 0.016; 4 std
    assert abs(np.corrcoef(radius, np.cos(angle))[0, 1]) < 4 / np.sqrt(4000)


def test_an_object_is_uniform_in_the_box_outside_the_disc():
    places = start_states(pgcore.make_task("Pusher-v5"), 4000)[:, 7:9]
    assert np.hypot(*places.T).min() > 0.17
    rng = np.random.default_rng(0)
    box = rng.uniform([-0.3, -0.2], [0.0, 0.2], (200_000, 2))
    free = box[np.hypot(*box.T) > 0.17]
    for ours, other in (
        *zip(places.T, free.T, strict=True),
        (np.hypot(*places.T), np.hypot(*free.T)),
    ):
        assert stats.ks_2samp(ours, other).pvalue > 1e-3


def test_places_and_noise_are_independent_draws():
    """Two goals of one task differ, and the arm's noise says nothing about the goal."""
    disc = Term.of("disc", start=0, radius=1.0)
    reset = (disc, Term.of("disc", start=2, radius=1.0), Term.of("uniform", target="qvel", scale=1))
    states = start_states(variant("Reacher-v5", observation=STATE, reset=reset), 2000)
    correlation = np.corrcoef(states.T) - np.eye(8)
    assert np.abs(correlation).max() < 4 / np.sqrt(2000)


def test_a_range_of_noise_does_not_move_the_draws():
    def qpos(**ends):
        reset = (Term.of("uniform", target="qpos", scale=1.0, **ends),)
        return start_states(variant("Swimmer-v5", observation=STATE, reset=reset), 3)[:, :5]

    whole = qpos()
    np.testing.assert_array_equal(qpos(start=1, end=3)[:, 1:3], whole[:, 1:3])
    np.testing.assert_array_equal(qpos(start=-2)[:, 3:], whole[:, 3:])
    assert not qpos(start=1, end=3)[:, [0, 3, 4]].any()


def test_a_box_that_is_hardly_free_still_gives_a_place():
    hidden = Term.of(
        "box_outside_disc", start=2, x_low=-1, x_high=0.5, y_low=0, y_high=1, radius=1.414
    )
    task = variant("Reacher-v5", observation=STATE, reset=(hidden,))
    np.testing.assert_array_equal(start_states(task, 50)[:, 2:4], [[-1.0, 1.0]] * 50)
    zero = np.zeros(4)
    twin, _ = reset_state((hidden,), zero, zero, 0, 0, 0)
    np.testing.assert_array_equal(twin, [0, 0, -1, 1])


BAD_TERMS = [
    ("observation", Term.of("qpos", start=4), "start: expected an integer from -4 to 3, got 4"),
    ("observation", Term.of("qpos", start=2, end=2), "end: expected an entry after start, 2, got"),
    ("observation", Term.of("sin_qpos", end=0), "end: expected an entry after start, 0, got 0"),
    ("observation", Term.of("qvel", clip=0), "clip: expected a positive number, got 0"),
    ("observation", Term.of("qfrc_constraint", clip=np.nan), "clip: expected a finite number"),
    ("observation", Term.of("cfrc_ext", low=2, high=1), "low: expected a number <= high, 1"),
    ("observation", Term.of("cfrc_ext", low=np.nan), "low: expected a number, got nan"),
    ("observation", Term.of("body_position", body="hand"), "body: expected the name or number of a "
     "body of the model (world, body0, body1, fingertip, target), got 'hand'"),
    ("observation", Term.of("body_position"), "(world, body0, body1, fingertip, target), got no"),
    ("observation", Term.of("body_position", body=5), "body: expected an integer from 0 to 4"),
    ("observation", Term.of("body_position", body=1, relative_to="x"), "relative_to: expected the"),
    ("observation", Term.of("body_position", body=1, axes="yx"), "axes: expected some of xyz, in"),
    ("observation", Term.of("cos_qpos", clip=1.0), "parameter 'clip'; known: end, joint, start"),
    ("reward", Term.of("coordinate", index=4), "index: expected an integer from 0 to 3, got 4"),
    ("reward", Term.of("coordinate", index=0, per="dt"), "per: expected 'one' or 'timestep', got"),
    ("reward", Term.of("coordinate", index=0, weight=np.inf), "weight: expected a finite number"),
    ("reward", Term.of("velocity_cost", weight=1.0), "index: expected a number, got nothing"),
    ("reward", Term.of("site_cost", weight=1.0, site="tip"), "site: expected the name or number of "
     "a site of the model (it has none), got 'tip'"),
    ("reward", Term.of("distance_cost", body=1, to="hand"), "to: expected the name or number of a"),
    ("reward", Term.of("distance_cost", body=1, to=2, when="now"), "when: expected 'before' or 'a"),
    ("reward", Term.of("contact_cost", weight=1.0, min=3, max=2), "min: expected a number <= max"),
    ("termination", Term.of("qpos_range", index=0, low=2, high=1), "low: expected a number <= hig"),
    ("termination", Term.of("qpos_range", index=0, interval="half"), "interval: expected 'open' o"),
    ("termination", Term.of("qpos_range", index=0, ends=2), "ends: expected an integer from 0 to"),
    ("termination", Term.of("site_range", site=0, low=1.0), "site: expected a"),
    ("reset", Term.of("set", target="qpos"), "value: expected a number, got nothing"),
    ("reset", Term.of("set", target="act", value=0), "target: expected 'qpos' or 'qvel', got 'act"),
    ("reset", Term.of("uniform", target="qpos", scale=np.nan), "scale: expected a finite number"),
    ("reset", Term.of("disc", start=3, radius=1), "start: expected an integer from -4 to 2, got 3"),
    ("reset", Term.of("disc", start=-1, radius=1), "start: expected the first of two entries of q"),
    ("reset", Term.of("disc", start=0, radius=0), "radius: expected a positive number, got 0"),
    ("reset", Term.of("box_outside_disc", start=0, radius=1, x_low=0, x_high=0.1, y_low=0,
     y_high=0.1), "radius: expected a disc that leaves a part of the box free, got 1"),
    ("reset", Term.of("box_outside_disc", start=0, radius=1, x_low=0), "x_high: expected a number"),
]  # fmt: skip


@pytest.mark.parametrize(("group", "term", "text"), BAD_TERMS)
def test_bad_terms_say_what_is_expected(group, term, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        variant("Reacher-v5", **{group: (term,)})


def test_formulas_and_rules():
    for task_id, formula in [
        ("HumanoidStandup-v5", "1 * root (z) / 0.003 (simulator timestep)"),
        ("HumanoidStandup-v4", "-min(5e-07 * sum(cfrc_ext^2), 10)"),
        ("Ant-v5", "-5e-04 * sum(cfrc_ext clipped to (-1, 1)^2)"),
        ("Ant-v5", "1 while healthy"),
        ("Ant-v4", "1 on every step"),
        ("Reacher-v4", "-1 * distance of fingertip and target, before the step"),
        ("Pusher-v5", "-0.5 * distance of object and tips_arm"),
        ("InvertedDoublePendulum-v4", "-1 * (site tip (z) - 2)^2"),
        ("InvertedDoublePendulum-v4", "-0.005 * (velocity of hinge2)^2"),
    ]:
        assert formula in pgcore.make_task(task_id).native.reward_formula()
    for task_id, rule in [
        ("Ant-v5", "root (z) outside [0.2, 1] m"),
        ("Ant-v5", "any position from root (x) on, or any velocity, not finite"),
        ("Hopper-v5", "rootz outside (0.7, inf) m"),
        ("InvertedDoublePendulum-v5", "site tip (z) outside (1, inf) m"),
    ]:
        assert rule in pgcore.make_task(task_id).native.termination_rules()
    assert pgcore.make_task("Pusher-v5").native.reset_rules() == [
        "obj_slidey, obj_slidex = uniform in [-0.3, 0) x [-0.2, 0.2) "
        "outside the disc of radius 0.17",
        "qpos[9:11] = 0",
        "qvel[0:7] += uniform in [-0.005, 0.005)",
    ]


STILL_XML = """
<mujoco>
  <option gravity="0 0 0"/>
  <worldbody><body name="box">
    <joint name="x" type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/><site name="mark"/>
  </body></worldbody>
  <actuator><motor joint="x"/></actuator>
</mujoco>
"""


@pytest.mark.parametrize("kind", ["qpos_range", "state_range", "site_range"])
def test_health_at_the_bounds_and_without_ending(kind, tmp_path):
    """A box at rest at 0.25: inside a closed interval that ends there, outside an open one."""
    (tmp_path / "still.xml").write_text(STILL_XML)
    where = {"qpos_range": {"index": 0}, "state_range": {}, "site_range": {"site": 0, "axis": "x"}}

    def step(**parameters):
        spec = pgcore.TaskSpec(
            id="Still",
            xml=str(tmp_path / "still.xml"),
            frame_skip=1,
            time_limit=None,
            reset=(),
            observation=STATE,
            reward=(Term.of("healthy", value=3.0),),
            termination=(Term.of(kind, **where[kind], **parameters),),
        )
        place, rest = np.array([[0.25]]), np.zeros((1, 1))
        out = _core.replay(
            task=pgcore.make_task(spec).native, qpos=place, qvel=rest, actions=rest[None],
            num_threads=1,
        )  # fmt: skip
        return bool(out["terminated"][0, 0]), out["rewards"][0, 0]

    assert step(high=0.25, interval="closed") == (False, 3.0)
    assert step(high=0.25) == (True, 0.0)
    assert step(high=0.25, ends=0) == (False, 0.0)
    assert step(low=-0.25, high=0.26, interval="open") == (False, 3.0)
    assert step(low=0.3, interval="closed") == (True, 0.0)


def test_the_docstring_of_term_lists_every_kind():
    text = pgcore.Term.__doc__
    for group in ("observation", "reward", "termination", "reset"):
        with pytest.raises(ValueError, match="unknown term 'nothing'; known: ") as error:
            variant("Reacher-v5", **{group: (Term.of("nothing"),)})
        for kind in str(error.value).split("known: ")[1].split(", "):
            assert re.search(rf"\b{kind}\b", text), kind
