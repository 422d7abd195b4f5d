"""Agents that are kept in experiments/runs are those that the kept datasets were measured of."""

import pytest

from conftest import ROOT
from pgcore._build_info import MUJOCO_VERSION
from pgcore.base.errors import CheckpointError
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.identities import MADE_AS
from pgcore.studies.engine.sources import Agents
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path
from test_redraw import KEPT, pack

RUNS = ROOT / "experiments" / "runs"
TRAINED_WITH = "4.0.0"
MEASURED = (
    *("hopper-budget", "hopper-controls", "hopper-step", "hopper-trials-gradient"),
    *("walker-landscape", "walker-step", "walker-trials-gradient"),
    *("hopper-step-1000000", "walker-step-1000000", "hopper-step-agent", "hopper-curvature"),
    *("hopper-trials-landscape", "walker-trials-landscape"),
)


@pytest.mark.parametrize("name", MEASURED)
def test_kept_agents_are_those_of_the_dataset(name):
    moments = pack.opened(KEPT / f"{name}.zarr.zip").attrs["moments"]
    task, algorithms = name.partition("-")[0], {label.partition("/")[0] for label in moments}
    assert algorithms == {"ppo", "trpo"}
    for label, identity in moments.items():
        digest = identity.partition(MADE_AS)[0]
        algorithm, _, iteration = label.partition("/")
        kept = load_checkpoint(checkpoint_path(RUNS / f"{task}-{algorithm}", int(iteration)))
        assert kept.config.trials == 8
        assert kept.digest == digest.removesuffix(" warmed up"), label


def test_every_kept_run_can_be_studied_without_training(tmp_path):
    """With the MuJoCo that they were trained with; another one is refused by its name."""
    if MUJOCO_VERSION != TRAINED_WITH:
        with pytest.raises(CheckpointError, match="another version of MuJoCo"):
            Agents.of(next(RUNS.iterdir()))
        return
    for run in sorted(RUNS.iterdir()):
        settings = {"iterations": (150, 300, 450), "trials": 8, "steps": 2, "pairs": (2000,)}
        said = STUDIES["step"].describe(run, tmp_path / run.name, **settings)
        assert ": 24 of 24 cells to compute" in said


def test_the_page_names_what_was_measured_of_them():
    text = (ROOT / "docs" / "reproduction.md").read_text()
    assert all(f"`{name}`" in text for name in MEASURED)
