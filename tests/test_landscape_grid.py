"""The grid of a landscape: it grows, loses nothing, and every point has numbers of its own."""

import importlib
import re

import numpy as np
import pytest

import pgcore
from pgcore.studies.catalog import STUDIES
from pgcore.studies.landscape.maps import point_keys
from pgcore.studies.landscape.surfaces import reward_sums
from test_landscape import SMALL

maps = importlib.import_module("pgcore.studies.landscape.maps")  # a function hides the package


@pytest.mark.parametrize("noise", ["independent", "common"])
def test_a_grid_grows_and_keeps_its_points(runs, tmp_path, monkeypatch, noise):
    """To the bits of the larger grid computed at once; points that are there are not simulated."""
    small = SMALL | {"points": (2, 3), "step_range": (0.0, 1.0), "noise": noise, "pairs": (100,)}
    large = small | {"points": (4, 5), "step_range": (0.0, 3.0)}  # in between and beyond
    pgcore.studies.landscape(runs[:1], tmp_path / "grown", **small)
    simulated = []

    def counted(agent, policies, pairs, seed, common, centre, threads, members, keys):
        simulated.append(len(members))
        return reward_sums(agent, policies, pairs, seed, common, centre, threads, members, keys)

    monkeypatch.setattr(maps, "reward_sums", counted)
    grown = pgcore.studies.landscape(runs[:1], tmp_path / "grown", **large)
    new = 4 * 5 - 2 * 3
    assert set(simulated) == {new + (noise == "common")}, "the centre once more, to compare with"
    whole = pgcore.studies.landscape(runs[:1], tmp_path / "whole", **large)
    for name in ("reward", "trajectories", "difference", "reward_error", "pairs_used"):
        np.testing.assert_array_equal(grown[name], whole[name], err_msg=name)
    np.testing.assert_allclose(grown["surrogate"], whole["surrogate"], rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="2 coordinates of step_scale that a larger grid would"):
        pgcore.studies.landscape(runs[:1], tmp_path / "grown", **small)
    again = pgcore.studies.landscape(runs[:1], tmp_path / "grown", **large)
    np.testing.assert_array_equal(again["reward"], whole["reward"])


def test_a_grid_that_was_interrupted_while_it_grew_loses_nothing(runs, tmp_path, monkeypatch):
    small = SMALL | {"points": (2, 2), "step_range": (0.0, 1.0), "pairs": (100,)}
    large = small | {"points": (3, 2), "step_range": (0.0, 2.0)}
    before = pgcore.studies.landscape(runs[:1], tmp_path, **small)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(maps, "reward_sums", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pgcore.studies.landscape(runs[:1], tmp_path, **large)
    text = STUDIES["landscape"].describe(runs[:1], tmp_path, **large)
    assert re.search(r"reward.*: 1 of 1 cells to compute", text), text
    after = pgcore.studies.landscape(runs[:1], tmp_path, **large)
    kept = after.sel(step_scale=[0.0, 1.0])
    np.testing.assert_array_equal(kept["reward"], before["reward"])


def test_the_grid_of_a_landscape_with_a_budget_cannot_grow(runs, tmp_path):
    settings = SMALL | {"points": (2, 2), "pairs": (300,), "part_pairs": 100, "budget": 10_000}
    pgcore.studies.landscape(runs[:1], tmp_path, **settings)
    with pytest.raises(ValueError, match="coordinates of step_scale, which cannot grow here"):
        pgcore.studies.landscape(runs[:1], tmp_path, **settings | {"points": (3, 2)})


def test_every_point_has_random_numbers_of_its_own():
    """They follow from its coordinates, and no two points of a grid share theirs."""
    axis = np.linspace(0, 3, 31)
    keys = point_keys(axis, axis)
    assert len(set(keys)) == 31 * 31 and keys.min() >= 0 and keys.max() < 2**26
    few = point_keys(axis[:4], axis[2:5]).reshape(4, 3)
    np.testing.assert_array_equal(few, keys.reshape(31, 31)[:4, 2:5])
