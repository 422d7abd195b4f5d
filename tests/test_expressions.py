"""Expressions: what the native loop computes, against two other readings; what is refused."""

import dataclasses
import json
import math
import pickle
import re
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgcore
from conftest import assert_same_batch, make_policy, small_config
from pgcore import Term, _core
from pgcore.rollout.reference_expressions import evaluate
from pgcore.tasks.expression_values import FUNCTIONS as FUNCTION_NAMES
from pgcore.tasks.files import read_task_file
from pgcore.tasks.quantities import NAMES
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import Run, checkpoint_path
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


REFUSED = [
    ("__import__('os')", "at character 1, '__import__': unknown name; known: abs, "),
    ("qpos.sum()", "at character 1, 'qpos.sum()': expected the name of a function"),
    ("qpos.__class__", "expected numbers, quantities, functions and operators, got Attribute"),
    ("(lambda: 1)()", "expected the name of a function"),
    ("[x for x in qpos]", "got ListComp"),
    ("(x := 1)", "got NamedExpr"),
    ("f'{qpos}'", "got JoinedStr"),
    ("import os", "expected an expression; invalid syntax near character 1"),
    ("1 +", "expected an expression; invalid syntax"),
    ("", "expected an expression; invalid syntax"),
    ("qpos\x00", "expected an expression; "),
    ("(" * 300 + "1" + ")" * 300, "expected an expression; too many nested parentheses"),
    ("-" * 3000 + "1", "parts inside each other"),
    ("+".join(["1"] * 500), "expected at most 60 parts inside each other"),
    ("abs(" * 61 + "1" + ")" * 61, "expected at most 60 parts inside each other"),
    ("1" * 5000, "expected at most 4000 characters, got 5000"),
    ("1e999", "expected a finite number"),
    ("9" * 400, "expected a finite number"),
    ("True", "expected a number, got True"),
    ("'vel'", "expected a number, got 'vel'"),
    ("1j", "expected a number, got 1j"),
    ("qposs", "at character 1, 'qposs': unknown name; did you mean qpos? known: "),
    ("2 + 3^2 * sensr('vel')", "at character 11, 'sensr': unknown name; did you mean sensor"),
    ("sensor('vell')", "unknown sensor 'vell'; did you mean vel? known: vel, gyro, touch, quat"),
    ("joint('knee')", "unknown joint 'knee'; known: root, hip, ankle, shoulder"),
    ("sensor(7)", "expected a sensor from 0 to 3, got 7"),
    ("sensor(vel)", "expected a name in quotes, or a number"),
    ("sensor()", "sensor: expected the name of one, got 0 arguments"),
    ("sensor", "expected arguments: sensor(...)"),
    ("activation('pull')", "actuator 'pull' has no activation"),
    ("body_velocity('foot', 'its own')", "expected the frame 'world' or 'local', got 'its own'"),
    ("qpos + qvel", "at character 1, 'qpos + qvel': expected values of one size, got 11 and 13"),
    ("dot(qpos, 1)", "dot: expected vectors of one size, got 13 and 1"),
    ("qpos[13]", "expected an entry of 13, got 13"),
    ("qpos[20:]", "expected at least one entry of 13"),
    ("qpos[::2]", "expected entries [start:end] without a step"),
    ("qpos[time]", "expected an integer"),
    ("[]", "expected at least one entry"),
    ("qpos @ qpos", "unknown operator; known: + - * / ^"),
    ("1 in qpos", "unknown comparison; known: <"),
    ("norm(qpos, 2)", "norm: expected one argument, got 2"),
    ("clip(qpos, 1)", "clip: expected 3 arguments, got 2"),
    ("norm(x=qpos)", "norm: expected arguments without names"),
    ("tolerance(qpos, 1, 0)", "tolerance: low: expected a number <= high"),
    ("tolerance(qpos, 0, 1, margin=-1)", "tolerance: margin: expected a number >= 0"),
    ("tolerance(qpos, 0, 1, 1, 1)", "value_at_margin: expected a number in (0, 1)"),
    ("tolerance(qpos, 0, 1, bound=1)", "tolerance: expected x, low, high, margin=0"),
    ("before(qpos)", "before is of a step: it is known in reward only"),
    ("contact('sole')", "contact is of a step: it is known in reward and termination only"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_no_expression_is_refused_in_one_line(tmp_path, text, says):
    with pytest.raises(ValueError, match=r"^observation: term 'expression': of: ") as error:
        robot(tmp_path, observation=(expression(text),))
    assert says in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_code_cannot_grow_beyond_its_text(tmp_path):
    """A comparison of three compiles its middle twice."""
    text = "qpos[0]"
    for _ in range(50):
        text = f"0<({text})<1"
    with pytest.raises(ValueError, match="at most 4000 instructions"):
        robot(tmp_path, observation=(expression(text),))


@pytest.mark.parametrize(
    ("room", "term", "says"),
    [
        ("reward", expression("qpos"), "reward: term 'expression': of: expected a number, got a "
         "vector of 13"),
        ("reward", expression("before(before(time))"), "before is not known before the step"),
        ("reward", expression("before(contact('sole'))"), "contact is not known before the step"),
        ("reward", expression("1", low=1), "unknown parameter 'low'; known: of, weight"),
        ("reward", Term.of("expression"), "of: expected an expression, got nothing"),
        ("reward", expression("1", weight=math.inf), "weight: expected a finite number"),
        ("termination", expression("qpos[0]"), "expected a condition, or a number with low, high"),
        ("termination", expression("qpos[0] < 1", low=1), "with low, high or both; got both"),
        ("termination", expression("last_action[0] < 1"), "last_action is of a step: it is known "
         "in reward only"),
        ("termination", Term.of("contact", geom="shoe"), "unknown geom 'shoe'; did you mean sole"),
        ("termination", Term.of("contact"), "geom: expected the name or number of a geom, got no"),
        ("termination", Term.of("contact", geom="sole", body="foot"), "either a body or a geom"),
        ("observation", Term.of("sensor", name="vel"), "unknown parameter 'name'; known: sensor"),
        ("observation", Term.of("sensor", sensor=0.5), "expected the name or number of a sensor"),
        ("observation", expression("time", program="time"), "unknown parameter 'program'"),
        ("observation", Term.of("qpos", joint="knee"), "joint: expected the name or number of a "
         "joint of the model (root, hip, ankle, shoulder), got 'knee'"),
        ("observation", Term.of("qpos", joint="hip", start=1), "either a joint or start and end"),
        ("reward", Term.of("coordinate", index="root"), "the name of a joint with one entry"),
    ],
)  # fmt: skip
def test_terms_say_what_they_expect(tmp_path, room, term, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        robot(tmp_path, **{room: (term,)})


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("", "instruction 1, '': expected an instruction"),
        ("sum", "expected more values on the stack"),
        ("constant 1; constant 2", "expected one value left at the end"),
        ("constant one", "expected a number"),
        ("constant", "expected 1 operands"),
        ("field qpos 0 14", "expected an integer from 1 to 13, not '14'"),
        ("field qpos -1 2", "expected an integer from 0 to 13, not '-1'"),
        ("field qpos 13 1", "expected an integer from 1 to 0"),
        ("field secret 0 1", "expected an array of mjData"),
        ("field qpos 0 3; field qvel 0 2; add", "expected vectors of one size, not of 3 and 2"),
        ("field qpos 0 3; slice 2 2", "expected entries of a vector of 3"),
        ("field qpos 0 3; slice 2147483647 2147483647", "expected an integer from 0 to 4096"),
        ("field qpos 0 3; join 2", "expected more values on the stack"),
        ("constant 1; power 5", "expected an integer from 2 to 4"),
        ("velocity body 99 world", "expected an integer from 0 to 5"),
        ("velocity geom 0 world", "expected body or site, not 'geom'"),
        ("contact geom 0 1", "expected no contact here"),
        ("memory 0 1", "expected an integer from 1 to 0"),
        ("field qpos 0 13; " * 316 + "join 316", "expected at most 4096 values at a time"),
        ("constant 1; " + "negative; " * 5000 + "abs", "expected at most 4096 instructions"),
        ("time; time; time; field qpos 0 2; time; tolerance", "as numbers"),
        ("field qpos 0 2", "rows: expected one for each value"),
    ],
)  # fmt: skip
def test_malformed_programs_are_refused(tmp_path, program, says):
    native = [("expression", {"program": program, "rows": "x\tm"})]
    path = robot_spec(tmp_path).xml
    with pytest.raises(ValueError, match=re.escape(says)):
        _core.Task(
            xml_path=path, frame_skip=1, time_limit=0, contact_margins="sum", lowered=True,
            reset=[], observation=native, reward=[], termination=[],
        )  # fmt: skip


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


TASK_FILE = """
xml = "robot.xml"
frame_skip = 2
time_limit = 40
reset = [{ term = "rotation", scale = 0.1 }]
observation = [{ term = "qpos", start = 2 }, { term = "expression", of = 'sensor("vel") / 3' }]
reward = [
  { term = "expression", of = '''
      exp(-2 * (sensor("vel")[0] - 1)^2)
      - 0.01 * sum(ctrl^2)''', weight = 2 },
]
termination = [{ term = "expression", of = 'body("torso")[2]', low = 0.3 }]
"""


def test_a_task_file_with_expressions_goes_through_a_run(tmp_path):
    robot_spec(tmp_path)
    path = tmp_path / "runner.toml"
    path.write_text(TASK_FILE)
    spec = read_task_file(path)
    assert pgcore.TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    task = pgcore.make_task(str(path))
    assert pickle.loads(pickle.dumps(task)).definition_hash() == task.definition_hash()
    other = dataclasses.replace(spec, reward=(expression("sensor('vel')[0]"),))
    assert pgcore.make_task(other).definition_hash() != task.definition_hash()
    formula = '2 * (exp(-2 * (sensor("vel")[0] - 1)^2) - 0.01 * sum(ctrl^2))'
    assert task.native.reward_formula() == [formula]
    assert task.native.termination_rules() == ['body("torso")[2] outside (0.3, inf)']

    folder = tmp_path / "run"
    with Run(folder, small_config(task=str(path), trials=1, iterations=2)) as run:
        list(run.iterations())
    agent = load_checkpoint(checkpoint_path(folder, 2)).agent()
    assert agent.task.definition_hash() == task.definition_hash()


def test_the_task_of_the_page_runs_and_the_page_names_everything(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "terms.md").read_text()
    robot_spec(tmp_path)
    (tmp_path / "runner.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    task = pgcore.make_task(str(tmp_path / "runner.toml"))
    batch = pgcore.collect(task, make_policy(task, members=1), 50, streams=2, seed=0)
    assert np.isfinite(batch.rewards).all() and np.ptp(batch.rewards) > 0
    for name in (*NAMES, *FUNCTION_NAMES, "before", "last_action"):
        assert re.search(rf"\b{name}\b", page), name
