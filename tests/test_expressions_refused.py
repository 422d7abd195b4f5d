"""Texts that are no expression, terms and programs that are malformed: one line each."""

import math
import re

import pytest

from pgcore import Term, _core
from robot import expression, robot, robot_spec

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
    ("qpos[0]  # angle\n - qvel[0]", "expected an expression without a comment (#)"),
    ("tolerance(qpos, 0, 1, margin=1, margin=2)", "tolerance: expected every name once"),
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
        ("observation", Term.of("sensor", sensor=math.inf), "name or number of a sensor, got inf"),
        ("observation", Term.of("sensor", sensor=math.nan), "name or number of a sensor, got nan"),
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
