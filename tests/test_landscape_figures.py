"""Figures, page and table of landscapes that were computed, and the measures along the step."""

import re

import numpy as np
import pytest
import xarray as xr
import zarr

import pgcore
from pgcore.studies import command_line, figures
from pgcore.studies.landscape.figures import along_the_step
from pgcore.studies.landscape.opening import _pool_centre, open_landscape
from pgcore.studies.measures.maps import kl_at_one_step, reward_change
from pgcore.studies.measures.surfaces import RewardSurface
from test_landscape import SMALL


def rows(data):
    """The lines of the table's maps and remarks."""
    lines = figures.landscape_table(data).splitlines()
    return lines[
        1 + next(i for i, line in enumerate(lines) if line.split()[:2] == ["iter", "trial"]) :
    ]


def test_figures_page_and_table(runs, tmp_path):
    pgcore.studies.landscape(runs, tmp_path / "a", noise="common", **SMALL)
    data = open_landscape(tmp_path / "a")
    for draw in (figures.surface_figure, figures.contour_figure):
        figures.save_figure(draw(data, "ppo", 0, 128), tmp_path / "figure")
    page = figures.landscape_page(data)
    assert "common" in data.attrs["spec"] and "Plotly.newPlot" in page
    assert 'src="http' not in page  # self-contained
    assert r'"hovertext":[["step 0' in page  # a text per point
    assert len(rows(data)) == 4
    assert np.isfinite(data["difference"].values).all()
    paired = [line.split()[-1] for line in rows(data)]
    assert all(float(x) < 2 for x in paired)  # variance of differences over independent points'


def test_a_line_and_a_plane_beside_the_step(runs, tmp_path):
    """A grid of one random coordinate is drawn as a cut; one off the step has no cut's measures."""
    line = SMALL | {"points": (4, 1), "pairs": (100,), "random_range": None}
    off = SMALL | {"points": (2, 2), "random_range": (1.0, 2.0), "pairs": (100,)}
    arguments = ["landscape", str(runs[0]), "--iterations", "2", "--sources", "128"]
    arguments += ["--pairs", "100", "--points", "4", "1", "--out", str(tmp_path / "command")]
    command_line.main(arguments)
    assert (tmp_path / "command" / "contour-ppo-trial0-step128.png").exists()
    assert not (tmp_path / "command" / "landscape.html").exists()
    along = pgcore.studies.landscape(runs[:1], tmp_path / "line", **line)
    assert re.search(r"[+-]\d+\.\d \[", rows(along)[0])  # a change at one step
    beside = pgcore.studies.landscape(runs[:1], tmp_path / "off", **off)
    row = rows(beside)[0].split()
    assert row[6] == "-" and row[-4] == "-"  # no agreement along the step, no KL at one step


def test_kl_at_one_step_lies_between_grid_points():
    steps = np.linspace(0, 3, 11)
    assert kl_at_one_step(steps, 0.13 * steps**2) == pytest.approx(0.13)
    assert np.isnan(kl_at_one_step(steps[:3], 0.13 * steps[:3] ** 2))


def test_the_cut_follows_the_step_on_any_grid(runs, tmp_path):
    settings = SMALL | {
        "points": (2, 3),
        "step_range": (0.0, 1.0),
        "random_range": (-1.0, 1.0),
        "pairs": (100,),
    }
    data = pgcore.studies.landscape(runs[:1], tmp_path, **settings)
    cut = along_the_step(data)
    assert float(data["random_scale"][cut]) == 0
    one = data.isel(agent=0, iteration=0, trial=0, source=0, pairs=0)
    rewards, errors = one["reward"].values, one["reward_error"].values
    assert float(one["one_step_change"]) == pytest.approx(rewards[1, 1] - rewards[0, 1])
    width = float(one["one_step_change_high"] - one["one_step_change_low"]) / 2
    assert width > 1.96 * np.hypot(errors[1, 1], errors[0, 1])


def test_one_step_is_one_step():
    """Also where it lies between grid points; against means and errors by hand."""
    steps = np.linspace(0, 3, 11)  # 0.9 and 1.2, but not 1
    reward, error = 10 + 5 * steps, np.full(11, 0.3)
    found = reward_change(steps, RewardSurface(reward, error, np.full(11, 1e6)))
    assert found.estimate == pytest.approx(5)
    width = 1.96 * 0.3 * np.sqrt((2 / 3) ** 2 + (1 / 3) ** 2 + 1)
    assert (found.high - found.low) / 2 == pytest.approx(width, rel=1e-3)
    three = RewardSurface(reward, error, np.full(11, 3.0))
    few = reward_change(steps, three)
    assert (few.high - few.low) / 2 > 1.3 * width  # Student's t
    away = reward_change(steps + 0.5, three)  # no centre on the grid
    assert np.isnan(away.estimate)


def test_a_point_that_is_not_finite_costs_the_map_no_row(runs, tmp_path):
    """Its sum in one part is infinity; the others' measures are those of the map without it."""
    pgcore.studies.landscape(runs[:1], tmp_path, **SMALL | {"pairs": (200,), "part_pairs": 100})
    whole = open_landscape(tmp_path)
    total = zarr.open_group(tmp_path / "reward.zarr", mode="r+")["total"]
    own = total[...]
    own[..., 0, 1, 2] = np.nan  # of the first of two parts
    total[...] = own
    data = open_landscape(tmp_path)
    lost = ~np.isfinite(data["reward"].values)
    assert lost.sum() == 1 and lost[..., 1, 2].all()
    np.testing.assert_array_equal(data["reward"].values[~lost], whole["reward"].values[~lost])
    row, note = rows(data)
    assert row.startswith("ppo") and row.split()[5] == rows(whole)[0].split()[5]
    assert note.strip().startswith("1 of 12 points of this map have no finite reward")
    for draw in (figures.surface_figure, figures.contour_figure):
        figures.save_figure(draw(data, "ppo", 0, 128), tmp_path / "figure")
    pages = [figures.landscape_page(d).count("NaN") for d in (whole, data)]
    assert pages[0] == pages[1]  # no number that JSON does not have


def test_a_map_without_its_centre_adds_nothing_to_the_pooled_one():
    """Its trajectories were counted, and its missing reward taken as 0."""
    dims = ("pairs", "step_scale", "random_scale")
    shape = (2, 1, 1)
    values = {
        "reward": [100.0, np.nan],
        "reward_error": [5.0, np.nan],
        "trajectories": [50.0, 50.0],
    }
    data = xr.Dataset({n: (dims, np.reshape(v, shape)) for n, v in values.items()})
    _pool_centre(data, xr.ones_like(data["reward"], dtype=bool), "")
    assert float(data["centre"]) == pytest.approx(100.0)
    assert float(data["centre_error"]) == pytest.approx(5.0)
    assert float(data["centre_trajectories"]) == 50
