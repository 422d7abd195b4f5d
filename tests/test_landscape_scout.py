"""The scout line of a landscape: what is a fall of the reward, and what is said of it."""

import numpy as np
import xarray as xr

import pgcore
from pgcore.studies.engine.reading import open_study
from pgcore.studies.landscape.maps import SCOUTED
from pgcore.studies.landscape.scout import fall_distances, rounded_up, what_was_scouted
from test_landscape import SMALL


def test_a_line_that_does_not_fall_has_the_papers_range(runs, tmp_path):
    assert [rounded_up(x) for x in (0.011, 0.2, 0.21, 0.51, 3.0)] == [0.02, 0.2, 0.3, 1.0, 3.0]
    pgcore.studies.landscape(
        runs[:1], tmp_path, **SMALL | {"random_range": None, "pairs": (100,), "scout_pairs": 100}
    )
    scout = open_study(tmp_path / "scout.zarr")
    rising = scout.assign(total=scout["count"] * scout["distance"])
    assert np.isnan(fall_distances(rising)).all()


def scout_of(returns):
    """The sums of scout lines [line, trajectory, distance] with common random numbers."""
    apart = returns - returns[..., :1]
    sums = {
        "count": np.ones_like(returns).sum(1), "total": returns.sum(1),
        "paired_count": np.ones_like(returns).sum(1), "paired_total": apart.sum(1),
        "paired_square": np.square(apart).sum(1),
    }  # fmt: skip
    distance = np.array(SCOUTED)
    dims = ("agent", "distance")
    return xr.Dataset({k: (dims, v) for k, v in sums.items()}, {"distance": distance})


def test_the_noise_of_a_flat_line_is_no_fall():
    """Of 2000 lines without a fall 3 in 100 at most show one; of a fall of 10 errors all do."""
    noise = np.random.default_rng(4).normal(size=(2000, 40, 18))
    flat = fall_distances(scout_of(noise))
    assert 0 < np.isfinite(flat).sum() < 60
    falling = noise - 10 * np.sqrt(2 / 40) * (scout_of(noise)["distance"].values > 1.0)
    found = fall_distances(scout_of(falling))
    assert np.isfinite(found).all() and 0.9 < np.median(found) < 1.2
    one = scout_of(falling[:1, :1])  # a trajectory has no error
    assert np.isnan(fall_distances(one)).all()


def test_what_is_said_of_a_scout_line(tmp_path):
    assert what_was_scouted(tmp_path) == "no fall of the reward was seen"
