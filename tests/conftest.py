"""What the tests share: small policies, a small task of our own, short training settings."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import importing
import pgcore
import report_case
from pgcore.playback import offscreen
from pgcore.studies import sample_regime
from pgcore.studies.style import figure_formats
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run

ROOT = Path(__file__).parent.parent
TASKS = pgcore.task_ids()

# A ball that falls on a floor; the actuator pushes it sideways.
BALL_XML = """
<mujoco>
  <option timestep="0.01"/>
  <size memory="{memory}"/>
  <worldbody>
    <geom type="plane" size="5 5 .1"/>
    <body pos="0 0 1">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="z" type="slide" axis="0 0 1"/>
      <geom type="sphere" size="0.1" mass="1"/>
    </body>
  </worldbody>
  <actuator><motor joint="x" gear="{gear}"/></actuator>
</mujoco>
"""

DROP_TOML = """
xml = "ball.xml"
frame_skip = 1
time_limit = 50
reset = [{{ term = "uniform", target = "qpos", scale = 0.1 }}]
observation = [{{ term = "qpos" }}, {{ term = "qvel" }}]
reward = [{{ term = "coordinate_velocity", weight = {weight} }}]
"""

# Files that take a minute and more begin first: at the end no core waits for another.
LONG = (
    "test_examples", "test_cluster", "test_slurm", "test_report", "test_study_engine", "test_docs",
    "test_step", "test_library_threads", "test_notebooks", "test_campaigns", "test_update_study",
    "test_overlap", "test_landscape_spending", "test_curvature_study", "test_variance", "test_fork",
)  # fmt: skip

# Every kind of head: what makes the standard deviation, and what makes the mean.
HEADS = {
    "free": {},
    "free, tanh": {"mean_map": "tanh"},
    "clamp": {"std": "state", "log_std_range": (-1.0, 0.5)},
    "softplus": {"std": "state", "std_map": "softplus", "min_std": 0.05},
    "clamp, tanh": {"std": "state", "mean_map": "tanh"},
    "softplus, tanh": {"std": "state", "std_map": "softplus", "mean_map": "tanh"},
}


def pytest_configure():
    """A shell's background jobs ignore SIGINT, and hand that on; tests of Ctrl-C need it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """The order of :data:`LONG`, and then that in which they were found."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True)
def _one_torch_thread():
    torch.set_num_threads(1)


def make_policy(task, members=2, hidden=(16, 16), spread=0.3, seed=0, **kwargs):
    """A policy stack with weights that are not near zero, so that actions depend on the state."""
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, hidden, members, **kwargs)
    generator = torch.Generator().manual_seed(seed)
    policy.load_flat(policy.flat + spread * torch.randn(policy.flat.shape, generator=generator))
    return policy


def ball_spec(tmp_path, memory="1M", gear="1", time_limit=50, drop=0.0, **changes):
    """A task of our own, from an MJCF file in ``tmp_path``."""
    path = tmp_path / "ball.xml"
    path.write_text(BALL_XML.format(memory=memory, gear=gear))
    spec = pgcore.TaskSpec(
        id="Ball",
        xml=str(path),
        frame_skip=1,
        time_limit=time_limit,
        reset=(pgcore.Term.of("uniform", target="qpos", scale=drop),),
        observation=(pgcore.Term.of("qpos"), pgcore.Term.of("qvel")),
        reward=(pgcore.Term.of("coordinate_velocity"),),
    )
    return dataclasses.replace(spec, **changes)


def drop_file(folder, weight):
    """A task file on the ball's model, which is written beside it; its reward has a weight."""
    ball_spec(folder)
    (folder / "drop.toml").write_text(DROP_TOML.format(weight=weight))
    return str(folder / "drop.toml")


def small_config(**changes):
    """A training run that takes about a second."""
    values = {
        "task": "Hopper-v2",
        "trials": 3,
        "iterations": 4,
        "pairs": 128,
        "hidden": (8, 8),
        "value_hidden": (8, 8),
        "minibatches": 4,
        "policy_epochs": 2,
        "value_epochs": 2,
        "save_every": 1,
        "normalize_rewards": True,
    }
    values |= changes
    values.setdefault("keep", tuple(i for i in (0, 2) if i <= values["iterations"]))
    return TrainConfig(**values)


def assert_same_dataset(a, b):
    """Every variable of two datasets equal to the bit."""
    assert set(a.variables) == set(b.variables)
    for name in a.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


def assert_same_batch(a, b):
    """Every array of two batches equal to the bit."""
    for name, array in a.arrays().items():
        np.testing.assert_array_equal(array, b.arrays()[name], err_msg=name)


@pytest.fixture(scope="session", autouse=True)
def _no_prints():
    """Figures as PNG alone: two fifths of drawing would be for PDFs that nobody opens."""
    with figure_formats(".png"):
        yield


@pytest.fixture
def prints():
    """Figures as a user gets them, PNG and PDF."""
    with figure_formats(".png", ".pdf"):
        yield


# A gradient study in seconds, of the agents of `runs`.
GRADIENTS = {
    "iterations": (0, 2),
    "pairs": (64, 256),
    "estimates": 4,
    "true_pairs": 512,
    "true_step_pairs": 256,
    "largest_step": 64,
}


def made_once(factory, name, make):
    """A folder that all processes of a suite read; the first one makes it, the others wait."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    root = factory.getbasetemp() if alone else factory.getbasetemp().parent
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / name).exists():
            make(root / f"{name}.part")
            (root / f"{name}.part").rename(root / name)
    return root / name


@pytest.fixture(scope="session")
def gradients(runs, tmp_path_factory):
    """The folder of this study, computed on one thread; not to be written to."""

    def make(out):
        pgcore.studies.gradient_quality(runs, out, num_threads=1, **GRADIENTS)

    return made_once(tmp_path_factory, "gradients", make)


@pytest.fixture(scope="session")
def folders(runs, tmp_path_factory):
    """Studies that reports are made of, by their names; not to be written to."""
    root = made_once(tmp_path_factory, "studies", partial(report_case.measure_all, runs))
    return {name: root / name for name in report_case.ASKED}


@pytest.fixture(scope="session")
def regimes(tmp_path_factory):
    """The folder of a sample regime, computed on one thread; not to be written to."""
    import regime_case

    def make(out):
        sample_regime(regime_case.TASK, out, num_threads=1, **regime_case.SMALL)

    return made_once(tmp_path_factory, "regimes", make)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A PPO and a TRPO run of two trials, with checkpoints 0 and 2; not to be written to."""

    def make(out):
        for algorithm in ("ppo", "trpo"):
            config = small_config(algorithm=algorithm, trials=2, normalize_advantages="batch")
            with Run(out / algorithm, config) as run:
                list(run.iterations())

    folder = made_once(tmp_path_factory, "runs", make)
    return [folder / "ppo", folder / "trpo"]


@pytest.fixture(scope="session")
def sb3(tmp_path_factory):
    """Real agents of Stable-Baselines3; see :func:`importing.sb3_agents`."""
    return importing.sb3_agents(tmp_path_factory.mktemp("sb3"))


@pytest.fixture(scope="module")
def hopper():
    """An agent of two trials that was not trained."""
    task = pgcore.make_task("Hopper-v4")
    return pgcore.Agent(task, make_policy(task, 2, (8,)))


@pytest.fixture
def no_window(monkeypatch):
    """As where there is no display."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@pytest.fixture
def grey(monkeypatch, no_window):
    """Frames without OpenGL: each as bright as its state's time; the states that were drawn."""
    drawn = []

    @contextlib.contextmanager
    def frames(model, states, view, width, height):
        drawn.extend(states)
        yield (bytes([int(s[0] * 500) % 256]) * (width * height * 3) for s in states)

    monkeypatch.setattr(offscreen, "frames", frames)
    return drawn
