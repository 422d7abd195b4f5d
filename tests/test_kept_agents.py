"""Agents that are kept in experiments/runs are those that the kept datasets were measured of."""

import pytest

from conftest import ROOT
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.sources import Agents
from test_redraw import KEPT, pack

RUNS = ROOT / "experiments" / "runs"
MEASURED = (
    *("hopper-budget", "hopper-controls", "hopper-step", "hopper-trials-gradient"),
    *("walker-landscape", "walker-step", "walker-trials-gradient"),
    *("hopper-step-1000000", "walker-step-1000000"),
)


@pytest.mark.parametrize("name", MEASURED)
def test_kept_agents_are_those_of_the_dataset(name):
    moments = pack.opened(KEPT / f"{name}.zarr.zip").attrs["moments"]
    task, algorithms = name.partition("-")[0], {label.partition("/")[0] for label in moments}
    assert algorithms == {"ppo", "trpo"}
    for label, digest in moments.items():
        algorithm, _, iteration = label.partition("/")
        agents = Agents.of({algorithm: RUNS / f"{task}-{algorithm}"}, (int(iteration),), 8)
        assert agents.moments[0].digest == digest.removesuffix(" warmed up"), label


def test_every_kept_run_can_be_studied_without_training(tmp_path):
    for run in sorted(RUNS.iterdir()):
        settings = {"iterations": (150, 300, 450), "trials": 8, "steps": 2, "pairs": (2000,)}
        said = STUDIES["step"].describe(run, tmp_path / run.name, **settings)
        assert ": 24 of 24 cells to compute" in said


def test_the_page_names_what_was_measured_of_them():
    text = (ROOT / "docs" / "reproduction.md").read_text()
    assert all(f"`{name}`" in text for name in MEASURED)
