"""Expressions in task files, and the page that names what there is."""

import dataclasses
import json
import pickle
import re
from pathlib import Path

import numpy as np

import pgcore
from conftest import make_policy, small_config
from pgcore.tasks.expression_values import FUNCTIONS as FUNCTION_NAMES
from pgcore.tasks.files import read_task_file
from pgcore.tasks.quantities import NAMES
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import Run, checkpoint_path
from robot import expression, robot_spec

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
