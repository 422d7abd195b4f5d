"""Expressions: what the native loop computes, against two other readings; what is refused."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgcore
from conftest import assert_same_batch, make_policy
from pgcore import Term
from pgcore.rollout.reference_expressions import evaluate
from robot import expression, load, replay, robot, robot_spec, starts

QUANTITIES = [
    "qpos", "qvel", "act", "ctrl", "action", "com", "time", "dt", "pi", "joint('root')",
    "joint('shoulder')", "joint('hip')", "joint_velocity('root')", "joint_velocity('ankle')",
    "sensor('vel')", "sensor('gyro')", "sensor('touch')", "sensor('quat')", "site('toe')",
    "site_matrix('imu')", "site_velocity('hand')", "site_velocity('hand', 'local')",
    "geom('sole')", "body('goal')", "body_quat('arm')", "body_matrix('foot')",
    "body_velocity('foot')", "body_velocity('torso', 'local')", "contact_force('foot')",
    "com('arm')", "tendon('cord')", "tendon_velocity('cord')", "actuator('hip motor')",
    "activation('hip motor')",
]  # fmt: skip
FUNCTIONS = [
    "sum(qpos)", "mean(qvel)", "norm(body('foot') - body('goal'))", "dot(qvel[:3], com)",
    "min(qpos)", "max(qvel)", "min(qvel, 0.1, qvel[3])", "max(qpos, 0)", "abs(qvel)",
    "sqrt(abs(qvel))", "exp(-3 * (com[2] - 0.5)^2)", "log(abs(qvel))", "sin(qpos)", "cos(qpos)",
    "tanh(qvel)", "clip(qvel, -0.3, 0.2)", "where(qvel > 0, qpos[1], qvel)",
    "-body_matrix('foot')[6:9]",
    "tolerance(qvel, -0.1, 0.2, margin=0.5)",
    "tolerance(com[2], 0.4, 0.5, 0.2, value_at_margin=0.3)",
    "tolerance(qvel[0], -0.1, 0.1)", "qvel^2 + qvel^3 - qvel^4", "abs(qvel)^0.7", "2^qvel",
    "qvel^(1 + 2)", "qvel^-(-3)",
    "-qvel[0]^2", "[qpos[0], sin(joint('hip')), site('toe')[:2]]", "qvel[-1] / dt",
    "1 if qvel[0] < 0.1 else com", "any(qvel > 1)", "all(abs(qvel) < 3)",
    "not qvel[0] < 0 and 0.1 <= qpos[2] < 0.6 or qvel[1] != 0", "qvel[2:][1:3] * 2",
    "+(qvel)[-3:-1]",
]  # fmt: skip
REWARDS = [
    'sensor("vel")[0] - 0.1 * sum(ctrl^2)',
    "(com - before(com))[0] / dt",
    "exp(-3 * (body('torso')[2] - 0.5)^2) * tolerance(norm(sensor('gyro')), 0, 1, margin=2)",
    "-norm(action - last_action) + before(sum(abs(qvel)) * time)",
    "contact('sole', 'floor') - 2 * contact('chest') + 4 * body_contact('foot', 'world')",
    "norm(contact_force('foot')) + before(qpos[:3])[1] - before(com)[0]",
]


def twin(task, qpos, qvel, actions):
    """Observations, rewards and ends of the simulator's own loop and the tree that is walked."""
    m, d = load(task)
    earlier = mujoco.MjData(m)
    texts = [dict(t.parameters)["of"] for t in task.spec.observation]
    obs, rewards, ends = [], [], []

    def read(of):
        return evaluate(of, m, d, task.dt, earlier)

    for s in range(len(qpos)):
        mujoco.mj_resetData(m, d)
        d.qpos[:], d.qvel[:] = qpos[s], qvel[s]
        mujoco.mj_forward(m, d)
        for action in actions[s]:
            mujoco.mj_copyData(earlier, m, d)
            d.ctrl[:] = action
            for _ in range(task.frame_skip):
                mujoco.mj_step(m, d)
            mujoco.mj_rnePostConstraint(m, d)
            reward = 0.0
            for term in task.spec.reward:
                values = dict(term.parameters)
                reward += values.get("weight", 1.0) * read(values["of"])[0]
            rewards.append(reward)
            ends.append(any(read(dict(t.parameters)["of"])[0] for t in task.spec.termination))
            obs.append(np.concatenate([read(of) for of in texts]))
    shape = actions.shape[:2]
    return np.array(obs).reshape(*shape, -1), *(np.reshape(x, shape) for x in (rewards, ends))


@pytest.mark.parametrize("lowered", [True, False])
def test_native_and_twin_are_equal_to_the_bit(tmp_path, lowered):
    conditions = ["body('torso')[2] < 0.45 or any(abs(qvel) > 4)", "contact('chest', 'floor')"]
    spec = robot_spec(
        tmp_path,
        observation=tuple(expression(of) for of in QUANTITIES + FUNCTIONS),
        reward=tuple(expression(of, weight=w) for w, of in enumerate(REWARDS, 1)),
        termination=tuple(expression(of) for of in conditions),
    )
    task = pgcore.make_task(spec, lowered=lowered)
    start = starts(load(task)[0], 3, 60)
    out = replay(task, *start)
    assert not out["diverged"].any()
    obs, rewards, ends = twin(task, *start)
    names = [row[0] for row in task.native.observation_table()]
    for i, name in enumerate(names):
        np.testing.assert_array_equal(out["obs"][..., i], obs[..., i], err_msg=name)
    np.testing.assert_array_equal(out["rewards"], rewards)
    np.testing.assert_array_equal(out["terminated"], ends)
    assert 0 < ends.mean() < 1, "both happen"


def test_named_terms_are_the_expressions_that_they_stand_for(tmp_path):
    pairs = {
        Term.of("sensor", sensor="gyro"): "sensor('gyro')",
        Term.of("site_position", site="toe"): "site('toe')",
        Term.of("body_orientation", body="arm"): "body_quat('arm')",
        Term.of("body_velocity", body=3, frame="local"): "body_velocity('foot', 'local')",
        Term.of("activation"): "act",
        Term.of("activation", actuator="hip motor"): "act",
        Term.of("previous_action"): "ctrl",
        Term.of("tendon_length", tendon="cord"): "tendon('cord')",
        Term.of("qpos", joint="shoulder"): "joint('shoulder')",
        Term.of("qvel", joint="root"): "joint_velocity('root')",
        Term.of("sin_qpos", joint="hip"): "sin(joint('hip'))",
    }
    named, written = (
        robot(tmp_path, observation=tuple(terms), reward=(reward,), termination=(end,))
        for terms, reward, end in (
            (
                pairs,
                Term.of("coordinate_velocity", index="hip"),
                Term.of("contact", geom="sole", other="floor"),
            ),
            (
                map(expression, pairs.values()),
                expression("(joint('hip') - before(joint('hip'))) / dt"),
                expression("contact('sole', 'floor')"),
            ),
        )
    )
    start = starts(load(named)[0], 2, 30)
    a, b = replay(named, *start), replay(written, *start)
    for name in ("obs", "rewards", "terminated"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert 0 < a["terminated"].mean() < 1
    rows = named.native.observation_table()
    assert ("sensor gyro (gyro) [2]", "rad/s") in rows
    assert ("position of site toe (x)", "m") in rows
    assert ("velocity of foot (local) (vz)", "m/s") in rows
    assert ("control of hip motor", "-") in rows


def test_a_body_is_touched_where_one_of_its_geoms_is(tmp_path):
    ends = (Term.of("contact", body="foot", other="world"), expression("contact('sole', 'floor')"))
    tasks = [robot(tmp_path, termination=(end,)) for end in ends]
    start = starts(load(tasks[0])[0], 2, 40)
    a, b = (replay(task, *start)["terminated"] for task in tasks)
    np.testing.assert_array_equal(a, b)
    assert tasks[0].native.termination_rules() == ["body_contact('foot', 'world')"]


SLIDES = """<mujoco><worldbody><body><joint name="x" type="slide"/><geom size=".1"/>
<body><joint name="y" type="slide"/><geom size=".1"/><body><joint name="z" type="slide"/>
<geom size=".1"/></body></body></body></worldbody>
<actuator><motor joint="x"/></actuator></mujoco>"""
PLACE, SPEED = np.array([0.3, -1.7, 2.5]), np.array([-0.4, 0.0, 1.1])
LEAVES = [("qpos", PLACE), ("qvel", SPEED), ("qpos[1]", PLACE[1:2]), ("qvel[0:2][-1]", SPEED[1:2])]
UNARY = {
    "abs": np.abs, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "exp": np.exp, "sqrt": np.sqrt,
    "log": np.log, "-": np.negative, "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min,
    "norm": lambda x: np.sqrt(np.sum(x * x)), "not ": np.logical_not,
}  # fmt: skip
BINARY = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "<": np.less,
    ">=": np.greater_equal, "==": np.equal, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip


@st.composite
def trees(draw, depth=4):
    """An expression's text and NumPy's value of it, [n]."""
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind == 0:
        number = draw(st.floats(-3, 3).map(lambda x: round(x, 3)))
        return draw(st.sampled_from([*LEAVES, (f"({number!r})", np.array([number]))]))
    text, value = draw(trees(depth - 1))
    if kind == 1:
        name = draw(st.sampled_from(list(UNARY)))
        return f"({name}({text}))", np.atleast_1d(UNARY[name](value)).astype(float)
    if kind == 2:
        exponent = draw(st.integers(2, 4))
        return f"({text})^{exponent}", np.prod([value] * exponent, axis=0)
    other, second = draw(trees(depth - 1))
    if len(value) > 1 and len(second) > 1 and len(value) != len(second):
        other, second = f"sum({other})", np.sum(second, keepdims=True)
    if kind == 3:
        name = draw(st.sampled_from(["min", "max"]))
        function = {"min": np.minimum, "max": np.maximum}[name]
        return f"{name}({text}, {other})", function(value, second)
    if kind == 4:
        return f"where({text}, {other}, 2)", np.where(value, second, 2.0)
    sign = draw(st.sampled_from(list(BINARY)))
    return f"({text} {sign} {other})", BINARY[sign](value, second).astype(float)


@settings(max_examples=150, deadline=None)
@given(st.lists(trees(), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_expressions_are_what_numpy_makes_of_them(tmp_path_factory, made):
    folder = tmp_path_factory.getbasetemp()
    terms = tuple(expression(text) for text, _ in made)
    task = pgcore.make_task(robot_spec(folder, xml=SLIDES, observation=terms))
    got = replay(task, PLACE[None], SPEED[None], np.zeros((1, 0, 1)))["first_obs"][0]
    expected = np.concatenate([np.atleast_1d(value) for _, value in made])
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=str(made))


@pytest.mark.parametrize(
    "text",
    ["-{x}^2", "2*{x}^2+1", "1-2-{x}", "2^{x}^0.5", "2/{x}/3", "-{x}*-2", "1 < {x} < 3", "{x}^-1",
     "not {x} > 2 and 1", "3 if {x} > 1 else 2", "  {x}\n  + 1 ", "{x}*(1+2)^2 - {x}^1"],
)  # fmt: skip
def test_signs_bind_as_in_python(tmp_path, text):
    task = robot(tmp_path, xml=SLIDES, observation=(expression(text.format(x="qpos[2]")),))
    got = replay(task, PLACE[None], SPEED[None], np.zeros((1, 0, 1)))["first_obs"][0, 0]
    python = " ".join(text.format(x="2.5").split()).replace("^", "**")
    assert got == pytest.approx(float(eval(python)), rel=1e-15)  # of the texts above


def test_a_reward_that_is_not_finite_is_named(tmp_path):
    rewards = (expression("time"), expression("1 / (time - time)"))
    task = robot(tmp_path, reward=rewards)
    batch = pgcore.collect(task, make_policy(task, members=1), 10, streams=2, seed=0)
    assert batch.reward_fault.tolist() == [1, 1]
    assert np.isinf(batch.rewards).all()


def test_threads_do_not_change_a_bit(tmp_path):
    task = robot(
        tmp_path,
        observation=tuple(expression(of) for of in QUANTITIES),
        reward=tuple(expression(of) for of in REWARDS),
        termination=(Term.of("contact", geom="chest"),),
    )
    policy = make_policy(task, members=2)
    one, two = (pgcore.collect(task, policy, 150, streams=4, seed=3, num_threads=n) for n in (1, 2))
    assert_same_batch(one, two)
    assert one.terminated.any()


def test_a_rollout_in_two_calls_is_equal_to_one(tmp_path):
    """What expressions read is part of the state that is kept, the previous action too."""
    observation = tuple(expression(of) for of in QUANTITIES)
    task = robot(tmp_path, observation=observation, reward=tuple(map(expression, REWARDS)))
    policy = make_policy(task, members=1)
    whole = pgcore.collect(task, policy, 30, streams=2, seed=3)
    first = pgcore.collect(task, policy, 17, streams=2, seed=3, keep_end=True)
    second = pgcore.collect(task, policy, 13, streams=2, seed=3, start=first.end)
    for name in ("obs", "rewards"):
        parts = [getattr(b, name) for b in (first, second)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), getattr(whole, name))
