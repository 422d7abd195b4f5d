"""What the figures of landscapes show: surfaces, cuts and the page that can be turned."""

import json
import sys

import numpy as np
import xarray as xr

from conftest import ROOT
from pgcore.studies import figures
from pgcore.studies.landscape.figures import LEAST_TRAJECTORIES
from pgcore.studies.landscape.page import point_texts

sys.path.append(str(ROOT / "experiments"))

KEPT = ROOT / "experiments" / "results"


def landscape_in_parts():
    """Maps of two sources; the most pairs were measured at the second iteration only."""
    dims = {
        "agent": ["trpo"],
        "iteration": [0, 150],
        "trial": [0],
        "source": [2000, 100_000],
        "pairs": [2000, 20_000],
        "step_scale": [0.0, 1.0, 2.0],
        "random_scale": [0.0, 1.0],
    }
    shape = tuple(len(v) for v in dims.values())
    reward = xr.DataArray(np.arange(np.prod(shape), dtype=float).reshape(shape), dims)
    reward = reward.where((reward["pairs"] == 2000) | (reward["iteration"] == 150))
    missing = xr.full_like(reward, np.nan)
    surrogate = reward.isel(pairs=0, drop=True)
    return xr.Dataset(
        {
            "reward": reward,
            "reward_error": 0 * reward + 1,
            "trajectories": 0 * reward + 9,
            "paired_count": 0 * reward,
            "difference": missing,
            "difference_error": missing,
            "surrogate": surrogate,
            "kl": surrogate**2,
            "step_norm": surrogate.isel(step_scale=0, random_scale=0, drop=True),
        },
        attrs={"spec": json.dumps({"task": "Hopper-v2", "noise": "independent"})},
    )


def panel_titles(figure):
    """Of the panels, not of their colour bars."""
    return [ax.get_title() for ax in figure.axes if "\n" in ax.get_title()]


def test_every_row_of_surfaces_has_one_number_of_pairs_and_no_hole():
    data = landscape_in_parts()
    titles = panel_titles(figures.surface_figure(data, "trpo", 0, 2000))
    assert len(titles) == 2 * 3
    assert all("2000 pairs (~9 trajectories)" in t for t in (titles[1], titles[4]))  # all rows have
    late = figures.surface_figure(data.sel(iteration=[150]), "trpo", 0, 2000)
    assert "20000 pairs (~9 trajectories)" in panel_titles(late)[1]
    levels = panel_titles(figures.levels_figure(data, "trpo", 0, 2000))
    assert [t.split("\n")[0] for t in levels] == ["iteration 150: true reward"] * 2
    assert ["20000 pairs" in t for t in levels] == [False, True]
    assert figures.levels_figure(data.sel(iteration=[0]), "trpo", 0, 2000) is None


def test_axes_of_surfaces_and_their_colours_are_named():
    data = landscape_in_parts()
    for figure in (
        figures.surface_figure(data, "trpo", 0, 2000),
        figures.sources_figure(data, "trpo", 0),
    ):
        for ax in (ax for ax in figure.axes if hasattr(ax, "zaxis")):
            texts = ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()
            assert texts[:2] == ("update step (steps)", "random (norm 2)")
            assert texts[2] in ("surrogate", "mean return")
        bars = [ax.get_title() for ax in figure.axes if not hasattr(ax, "zaxis")]
        assert set(bars) == {"surrogate", "mean return"}
        assert "Hopper-v2, TRPO, trial 0" in figure.texts[0].get_text()


def test_steps_from_few_and_many_pairs_are_compared_at_the_most_pairs_of_both():
    data = landscape_in_parts()

    def rewards(figure):
        texts = (t.split("\n")[1] for t in panel_titles(figure))
        return [t.split(" (")[0] for t in texts if "reward" in t]

    drawn = rewards(figures.sources_figure(data, "trpo", 0))
    assert drawn == [*["reward, 2000 pairs"] * 2, *["reward, 20000 pairs"] * 2]
    one = data.copy()
    lacks = (data["source"] == 2000) & (data["pairs"] == 20_000)
    one["reward"] = data["reward"].where(~lacks)
    assert rewards(figures.sources_figure(one, "trpo", 0)) == ["reward, 2000 pairs"] * 4


def test_the_legend_of_cuts_names_every_number_of_pairs():
    data = landscape_in_parts().sel(iteration=[150, 0])  # the last row has the fewer
    (legend,) = figures.contour_figure(data, "trpo", 0, 2000).legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "reward, 2000 pairs",
        "reward, 20000 pairs",
    ]


def test_a_study_without_a_finished_map_is_drawn_as_such():
    data = landscape_in_parts()
    none = data.assign(reward=data["reward"] * np.nan)
    figure = figures.contour_figure(none, "trpo", 0, 2000)
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["no map is computed"]
    for figure in (
        figures.surface_figure(none, "trpo", 0, 2000),
        figures.sources_figure(none, "trpo", 0),
    ):
        assert "no map is computed" in [text.get_text() for text in figure.texts]


def test_a_point_of_few_trajectories_has_no_band():
    data = landscape_in_parts().sel(iteration=[150])
    for count, bands in ((LEAST_TRAJECTORIES, 2), (LEAST_TRAJECTORIES - 1, 0)):
        few = data.assign(trajectories=0 * data["reward"] + count)
        cut = figures.contour_figure(few, "trpo", 0, 2000).axes[2]
        shown = [
            c for c in cut.collections if len(c.get_paths()) and c.get_paths()[0].vertices.size
        ]
        assert len(shown) == bands


def test_the_page_says_of_every_point_its_own_numbers():
    """The surfaces are [random][step]; nothing of a neighbour or of the transposed point."""
    data = landscape_in_parts().sel(agent="trpo", iteration=150, trial=0, source=2000, pairs=20_000)
    own = data.assign(reward_error=data["reward"] / 100, trajectories=data["reward"] + 7)
    texts = point_texts(own, "reward")
    assert len(texts) == 2 and len(texts[0]) == 3
    for b, row in enumerate(texts):
        for a, text in enumerate(row):
            value = float(own["reward"].values[a, b])
            assert text.startswith(f"step {a}<br>random {b}<br>reward {value:.4g} ")
            assert f"± {value / 100:.3g} (standard error)<br>{value + 7:.0f} traj" in text
