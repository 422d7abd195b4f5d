"""pgcore: how good are the gradients, values and surrogates of deep policy-gradient agents?

Importing it loads next to nothing; MuJoCo, torch, and what the studies need, come with the first
name that uses them.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from pgcore.base.version import __version__ as __version__
from pgcore.base.version import check_mujoco

if TYPE_CHECKING:
    from pgcore import studies as studies
    from pgcore.agent import Agent as Agent
    from pgcore.agent_file import load_agent as load_agent
    from pgcore.base.errors import CheckpointError as CheckpointError
    from pgcore.base.errors import SimulationError as SimulationError
    from pgcore.playback.play import play as play
    from pgcore.policies.gaussian import GaussianPolicy as GaussianPolicy
    from pgcore.policies.modules import policy_from_module as policy_from_module
    from pgcore.policies.modules import value_from_module as value_from_module
    from pgcore.policies.normalize import Normalizer as Normalizer
    from pgcore.policies.value import ValueNet as ValueNet
    from pgcore.rollout.batch import RolloutBatch as RolloutBatch
    from pgcore.rollout.batch import Scores as Scores
    from pgcore.rollout.collect import collect as collect
    from pgcore.rollout.collect import evaluate as evaluate
    from pgcore.rollout.monte_carlo import monte_carlo_values as monte_carlo_values
    from pgcore.rollout.returns import discounted_returns as discounted_returns
    from pgcore.rollout.returns import gae as gae
    from pgcore.rollout.sb3_vector import sb3_vec_env as sb3_vec_env
    from pgcore.rollout.vector import vector_env as vector_env
    from pgcore.studies.catalog import differences as differences
    from pgcore.studies.catalog import open as open
    from pgcore.studies.export.write import export as export
    from pgcore.studies.report.write import report as report
    from pgcore.tasks.gymnasium_suite.options import gymnasium_task as gymnasium_task
    from pgcore.tasks.make import make_task as make_task
    from pgcore.tasks.make import task_ids as task_ids
    from pgcore.tasks.task import Task as Task
    from pgcore.tasks.task import TaskSpec as TaskSpec
    from pgcore.tasks.term import Term as Term
    from pgcore.training.checkpoint import load_checkpoint as load_checkpoint
    from pgcore.training.trainer import Trainer as Trainer

check_mujoco()

# Where each public name is; a module of the package may not be called like one of them. The
# imports above say the same to type checkers, and a test compares the two.
_HOMES: Final[dict[str, str]] = {
    "Agent": "pgcore.agent",
    "load_agent": "pgcore.agent_file",
    "RolloutBatch": "pgcore.rollout.batch",
    "Scores": "pgcore.rollout.batch",
    "load_checkpoint": "pgcore.training.checkpoint",
    "CheckpointError": "pgcore.base.errors",
    "SimulationError": "pgcore.base.errors",
    "monte_carlo_values": "pgcore.rollout.monte_carlo",
    "GaussianPolicy": "pgcore.policies.gaussian",
    "ValueNet": "pgcore.policies.value",
    "Normalizer": "pgcore.policies.normalize",
    "policy_from_module": "pgcore.policies.modules",
    "value_from_module": "pgcore.policies.modules",
    "discounted_returns": "pgcore.rollout.returns",
    "gae": "pgcore.rollout.returns",
    "vector_env": "pgcore.rollout.vector",
    "sb3_vec_env": "pgcore.rollout.sb3_vector",
    "gymnasium_task": "pgcore.tasks.gymnasium_suite.options",
    "collect": "pgcore.rollout.collect",
    "evaluate": "pgcore.rollout.collect",
    "Task": "pgcore.tasks.task",
    "TaskSpec": "pgcore.tasks.task",
    "Term": "pgcore.tasks.term",
    "make_task": "pgcore.tasks.make",
    "task_ids": "pgcore.tasks.make",
    "Trainer": "pgcore.training.trainer",
    "play": "pgcore.playback.play",
    "open": "pgcore.studies.catalog",
    "differences": "pgcore.studies.catalog",
    "report": "pgcore.studies.report.write",
    "export": "pgcore.studies.export.write",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for."""
    if name in ("studies", "training", "_core"):
        return importlib.import_module(f"pgcore.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pgcore' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found  # asked for once
    return found


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *_HOMES, "studies", "training"})
