"""pgcore: how good are the gradients, values and surrogates of deep policy-gradient agents?"""

from pgcore._version import __version__ as __version__
from pgcore._version import check_mujoco

check_mujoco()

from pgcore import studies as studies  # noqa: E402
from pgcore.batch import RolloutBatch as RolloutBatch  # noqa: E402
from pgcore.batch import Scores as Scores  # noqa: E402
from pgcore.checkpoint import load_checkpoint as load_checkpoint  # noqa: E402
from pgcore.collect import collect as collect  # noqa: E402
from pgcore.collect import evaluate as evaluate  # noqa: E402
from pgcore.errors import CheckpointError as CheckpointError  # noqa: E402
from pgcore.errors import SimulationError as SimulationError  # noqa: E402
from pgcore.gymnasium_suite.options import gymnasium_task as gymnasium_task  # noqa: E402
from pgcore.monte_carlo import monte_carlo_values as monte_carlo_values  # noqa: E402
from pgcore.nets import GaussianPolicy as GaussianPolicy  # noqa: E402
from pgcore.nets import ValueNet as ValueNet  # noqa: E402
from pgcore.normalize import Normalizer as Normalizer  # noqa: E402
from pgcore.returns import discounted_returns as discounted_returns  # noqa: E402
from pgcore.returns import gae as gae  # noqa: E402
from pgcore.tasks import Task as Task  # noqa: E402
from pgcore.tasks import TaskSpec as TaskSpec  # noqa: E402
from pgcore.tasks import Term as Term  # noqa: E402
from pgcore.tasks import make_task as make_task  # noqa: E402
from pgcore.tasks import task_ids as task_ids  # noqa: E402
from pgcore.train import Trainer as Trainer  # noqa: E402
