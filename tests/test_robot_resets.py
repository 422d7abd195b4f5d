"""Resets that know joints, quaternions, keyframes and mocap bodies; and what a state hides."""

import re

import mujoco
import numpy as np
import pytest
from scipy import stats

import pgcore
from conftest import small_config
from pgcore import Term
from pgcore.rollout.reference_resets import apply
from pgcore.studies.value.findings import value_findings
from pgcore.tasks.describe import describe_task, hidden_state
from pgcore.training.run import Run
from robot import STATE, expression, load, robot, robot_spec

# mocap_pos and mocap_quat show in the body that they move
OBSERVED = (*STATE, Term.of("activation"), Term.of("previous_action"), expression("body('goal')"))
BOX = {"x_low": -1.0, "x_high": 2.0, "z_low": 0.5, "z_high": 0.7}
RESETS = {
    "keyframe": (Term.of("keyframe", key="crouch"),),
    "keyframe number": (Term.of("keyframe", key=1),),
    "every range": (Term.of("joint_range"),),
    "one range": (Term.of("joint_range", joint="ankle"),),
    "rotation": (Term.of("rotation", scale=0.3),),
    "rotation of one": (Term.of("keyframe", key=1), Term.of("rotation", scale=2, joint="shoulder")),
    "no rotation": (Term.of("rotation", scale=0),),
    "orientation": (Term.of("orientation", joint="root"),),
    "box": (Term.of("box", joint="root", **BOX),),
    "box of entries": (Term.of("box", start=-6, **BOX),),
    "mocap": (Term.of("mocap", body="goal", **BOX),),
    "joints by name": (
        Term.of("uniform", target="qpos", joint="hip", scale=0.2),
        Term.of("uniform", target="qvel", joint="root", scale=0.2),
        Term.of("set", target="qvel", joint="shoulder", value=0.5),
    ),
    "all": (
        Term.of("keyframe", key="crouch"),
        Term.of("joint_range"),
        Term.of("orientation"),
        Term.of("rotation", scale=0.1),
        Term.of("mocap", body="goal", **BOX),
    ),
}


def first_observations(task, streams, seed=0):
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, (4,))
    return pgcore.collect(task, policy, 1, streams=streams, seed=seed).obs[:, 0]


def twin_start(task, stream, seed):
    m, d = load(task)
    names = ("qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat")
    state = {name: getattr(d, name) for name in names}
    for term in task.spec.reset:
        apply(term, state, m, (seed, stream, 0))
    mujoco.mj_forward(m, d)
    return np.concatenate([d.qpos, d.qvel, d.act, d.ctrl, d.body("goal").xpos])


@pytest.mark.parametrize("name", RESETS)
def test_starts_are_those_of_the_numpy_twin_to_the_bit(tmp_path, name):
    task = robot(tmp_path, reset=RESETS[name], observation=OBSERVED)
    native = first_observations(task, 5, seed=2**33 + 1)
    for stream in range(5):
        np.testing.assert_array_equal(native[stream], twin_start(task, stream, 2**33 + 1))
    random = not name.startswith(("keyframe", "no"))
    assert random == (np.ptp(native, axis=0).max() > 0)


def test_a_keyframe_is_whole(tmp_path):
    task = robot(tmp_path, reset=RESETS["keyframe"], observation=OBSERVED)
    m, d = load(task)
    mujoco.mj_resetDataKeyframe(m, d, 1)
    mujoco.mj_forward(m, d)
    expected = np.concatenate([d.qpos, d.qvel, d.act, d.ctrl, d.body("goal").xpos])
    np.testing.assert_array_equal(first_observations(task, 1)[0], expected)


def test_joints_are_uniform_in_their_ranges(tmp_path):
    task = robot(tmp_path, reset=(Term.of("joint_range"),))
    qpos = first_observations(task, 3000)[:, :13]
    for i, (low, high) in {7: (-1, 1), 8: (-0.1, 0.2)}.items():
        assert stats.kstest((qpos[:, i] - low) / (high - low), "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(qpos[:, 7], qpos[:, 8])[0, 1]) < 4 / np.sqrt(3000)
    assert not np.ptp(qpos[:, [*range(7), *range(9, 13)]], axis=0).any()


def test_rotations_are_of_unit_length_and_as_large_as_they_say(tmp_path):
    task = robot(tmp_path, reset=(Term.of("rotation", scale=0.3),))
    states = first_observations(task, 3000)
    for part in (slice(3, 7), slice(9, 13)):
        q = states[:, part]
        np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, rtol=1e-15)
        angle = 2 * np.arccos(np.clip(q[:, 0], -1, 1))
        vector = q[:, 1:] / np.sin(angle / 2)[:, None] * angle[:, None]  # from the unit quaternion
        for x in vector.T:
            assert stats.kstest(x / 0.6 + 0.5, "uniform").pvalue > 1e-4


def test_orientations_are_uniform_over_the_sphere(tmp_path):
    """Of a uniform unit quaternion every squared entry has the law Beta(1/2, 3/2)."""
    q = first_observations(robot(tmp_path, reset=(Term.of("orientation"),)), 3000)[:, 3:7]
    for x in q.T:
        assert stats.kstest(x**2, "beta", args=(0.5, 1.5)).pvalue > 1e-4
        assert abs(np.sign(x).mean()) < 4 / np.sqrt(3000)


def test_rules_say_what_is_done(tmp_path):
    assert robot(tmp_path, reset=RESETS["all"]).native.reset_rules() == [
        "keyframe crouch",
        "hip = uniform in [-1, 1), ankle = uniform in [-0.1, 0.2)",
        "orientation of root, shoulder = uniform over all",
        "orientation of root, shoulder turned by a vector uniform in [-0.1, 0.1)^3 rad",
        "position of goal: x = uniform in [-1, 2), z = uniform in [0.5, 0.7)",
    ]
    rules = robot(tmp_path, reset=RESETS["box"]).native.reset_rules()
    assert rules == ["from root (x) on: x = uniform in [-1, 2), z = uniform in [0.5, 0.7)"]


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (
            Term.of("keyframe"),
            "key: expected the name or number of a keyframe of the model (stand,",
        ),
        (Term.of("keyframe", key=2), "key: expected an integer from 0 to 1, got 2"),
        (Term.of("joint_range", joint="root"), "joint: expected a hinge or slide joint with a ran"),
        (Term.of("rotation", joint="hip", scale=1), "joint: expected a free or ball joint, got"),
        (Term.of("rotation"), "scale: expected a number, got nothing"),
        (Term.of("rotation", scale=-1), "scale: expected a number >= 0"),
        (Term.of("orientation", scale=1), "unknown parameter 'scale'; known: joint"),
        (Term.of("box", start=0), "x_low: expected bounds of a coordinate, got nothing"),
        (Term.of("box", start=0, x_low=1, x_high=0), "x_low: expected a number <= x_high"),
        (Term.of("box", start=0, x_low=1), "x_high: expected a number, got nothing"),
        (Term.of("box", start=11, **BOX), "start: expected as many entries of qpos as have bounds"),
        (Term.of("mocap", body="torso", **BOX), "body: expected a mocap body, got 'torso'"),
    ],
)
def test_bad_resets_say_what_is_expected(tmp_path, term, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        robot(tmp_path, reset=(term,))


def test_an_observation_without_activations_is_said_to_hide_them(tmp_path):
    hidden = "the observation leaves out 1 of 1 activations of actuators"
    assert hidden_state(robot(tmp_path)).startswith(hidden)
    assert f"note: {hidden}" in describe_task(robot(tmp_path))
    for term in (
        Term.of("activation"),
        expression("activation('hip motor')"),
        expression("act[0]"),
    ):
        task = robot(tmp_path, observation=(*STATE, term))
        assert hidden_state(task) == ""
        assert "note: " not in describe_task(task)
    assert hidden_state(pgcore.make_task("Hopper-v2")) == ""


def test_a_value_study_says_what_the_observation_hides(tmp_path):
    files = []
    for name, terms in (("hidden", STATE), ("seen", (*STATE, Term.of("activation")))):
        folder = tmp_path / name
        folder.mkdir()
        spec = robot_spec(folder, observation=terms, reward=(expression("sensor('vel')[0]"),))
        with Run(folder / "run", small_config(task=spec, trials=1, iterations=2)) as run:
            list(run.iterations())
        data = pgcore.studies.value_prediction(
            [folder / "run"], folder / "value", iterations=(2,), variance_iterations=(),
            held_out_pairs=80, returns="cut",
        )  # fmt: skip
        files.append(" ".join(value_findings(data).limits))
    assert "the observation leaves out 1 of 1 activations" in files[0]
    assert "activations" not in files[1]
