"""pgcore: how good are the gradients, values and surrogates of deep policy-gradient agents?

Importing it loads MuJoCo alone; torch, and what the studies need, come with the first name that
uses them.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from pgcore._version import __version__ as __version__
from pgcore._version import check_mujoco

if TYPE_CHECKING:
    from pgcore import studies as studies
    from pgcore.batch import RolloutBatch as RolloutBatch
    from pgcore.batch import Scores as Scores
    from pgcore.checkpoint import load_checkpoint as load_checkpoint
    from pgcore.errors import CheckpointError as CheckpointError
    from pgcore.errors import SimulationError as SimulationError
    from pgcore.gymnasium_suite.options import gymnasium_task as gymnasium_task
    from pgcore.monte_carlo import monte_carlo_values as monte_carlo_values
    from pgcore.nets import GaussianPolicy as GaussianPolicy
    from pgcore.nets import ValueNet as ValueNet
    from pgcore.normalize import Normalizer as Normalizer
    from pgcore.returns import discounted_returns as discounted_returns
    from pgcore.returns import gae as gae
    from pgcore.rollouts import collect as collect
    from pgcore.rollouts import evaluate as evaluate
    from pgcore.tasks import Task as Task
    from pgcore.tasks import TaskSpec as TaskSpec
    from pgcore.tasks import Term as Term
    from pgcore.tasks import make_task as make_task
    from pgcore.tasks import task_ids as task_ids
    from pgcore.train import Trainer as Trainer

check_mujoco()

# Where each public name is; a module of the package may not be called like one of them. The
# imports above say the same to type checkers, and a test compares the two.
_HOMES: Final[dict[str, str]] = {
    "RolloutBatch": "pgcore.batch",
    "Scores": "pgcore.batch",
    "load_checkpoint": "pgcore.checkpoint",
    "CheckpointError": "pgcore.errors",
    "SimulationError": "pgcore.errors",
    "monte_carlo_values": "pgcore.monte_carlo",
    "GaussianPolicy": "pgcore.nets",
    "ValueNet": "pgcore.nets",
    "Normalizer": "pgcore.normalize",
    "discounted_returns": "pgcore.returns",
    "gae": "pgcore.returns",
    "gymnasium_task": "pgcore.gymnasium_suite.options",
    "collect": "pgcore.rollouts",
    "evaluate": "pgcore.rollouts",
    "Task": "pgcore.tasks",
    "TaskSpec": "pgcore.tasks",
    "Term": "pgcore.tasks",
    "make_task": "pgcore.tasks",
    "task_ids": "pgcore.tasks",
    "Trainer": "pgcore.train",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for."""
    if name == "studies":
        return importlib.import_module("pgcore.studies")
    if name not in _HOMES:
        raise AttributeError(f"module 'pgcore' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found  # asked for once
    return found


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *_HOMES, "studies"})
