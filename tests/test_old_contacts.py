"""The contacts of the paper's simulator: -v2 tasks follow MuJoCo 2.3.7 where -v4 does not.

Before MuJoCo 3.5 a contact took the larger of its geoms' margins; since then it takes their sum.
``tests/data/record_contacts.py`` wrote what the old simulator did, from random states with random
controls, while the feet meet the floor.
"""

import dataclasses
import hashlib

import numpy as np
import pytest

import pgcore
from conftest import ROOT
from pgcore import _core

# What two versions of the simulator may differ by: rounding, after 100 steps with impacts.
# Measured with the old rule: 7.1e-15 for the hopper, 5.5e-13 for the walker.
ROUNDING = 1e-11
MODELS = {"Hopper-v2": "hopper", "Walker2d-v2": "walker2d", "Humanoid-v2": "humanoid"}


def recorded(name):
    """The arrays of one model, by their names."""
    with np.load(ROOT / "tests" / "data" / "contacts-2.3.7.npz", allow_pickle=False) as data:
        return {k.removeprefix(f"{name}_"): data[k] for k in data.files if k.startswith(name)}


def departure(task_id, old, lowered):
    """Largest |difference| of qpos and qvel from the old simulator, [R, T]."""
    spec = dataclasses.replace(
        pgcore.make_task(task_id).spec, frame_skip=1, reset=(), termination=()
    )
    task = pgcore.make_task(spec, lowered=lowered)
    found = hashlib.sha256(spec.xml_path().read_bytes()).hexdigest()
    assert found == str(old["sha256"]), "the recording is of another model file"
    new = _core.replay(
        task=task.native,
        qpos=old["qpos0"],
        qvel=old["qvel0"],
        actions=old["ctrl"],
        num_threads=1,
    )
    assert not new["errors"]
    return np.maximum(*(np.abs(new[k] - old[k]).max(axis=2) for k in ("qpos", "qvel")))


@pytest.mark.parametrize("lowered", [True, False])
@pytest.mark.parametrize("task_id", ["Hopper-v2", "Walker2d-v2"])
def test_the_papers_tasks_follow_the_old_simulator(task_id, lowered):
    """One hundred steps with contacts agree to rounding at every step of every run."""
    old = recorded(MODELS[task_id])
    assert (old["ncon"] > 0).mean() > 0.3 and (old["ncon"] > 0).any(axis=1).all()
    assert departure(task_id, old, lowered).max() < ROUNDING


@pytest.mark.parametrize("lowered", [True, False])
def test_the_papers_humanoid_follows_the_old_simulator_at_first(lowered):
    """Ten steps agree to about 2e-5 only.

    Where the solver stops differs by 1e-5; since 4.0, RK4 integrates orientations otherwise: 2e-6.
    """
    old = recorded("humanoid")
    assert (old["ncon"] > 0).all()
    assert departure("Humanoid-v2", old, lowered).max() < 1e-4
    assert departure("Humanoid-v4", old, lowered).max() > 1e-3


@pytest.mark.parametrize("lowered", [True, False])
def test_the_sum_of_margins_is_another_simulator(lowered):
    """Hopper-v4 leaves the recording, so that the tests above can fail."""
    assert departure("Hopper-v4", recorded("hopper"), lowered).max() > 1e-4


def test_without_margins_both_rules_agree():
    """The walker's geoms have no margins: v2 and v4 are one simulator."""
    assert departure("Walker2d-v4", recorded("walker2d"), lowered=False).max() < ROUNDING
