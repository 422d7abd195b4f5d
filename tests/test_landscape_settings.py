"""Settings of a landscape that are refused, and what a dry run says."""

import pytest

import pgcore
from pgcore.studies.catalog import STUDIES
from pgcore.studies.landscape.study import LandscapeStudy
from pgcore.studies.pairs.sampling import Sampling
from test_landscape import SMALL


def test_dry_run_and_bad_settings(runs, tmp_path):
    text = STUDIES["landscape"].describe(runs, tmp_path / "x", **SMALL)
    assert "3 x 4 points" in text and "6 of 6 cells" in text
    assert "up to 1000 pairs more per point and part of 100" in text  # Hopper's time limit
    for change, match in (
        ({"noise": "pink"}, "noise: expected one of independent, common"),
        ({"step_range": (1.0, -1.0)}, "step_range: expected two growing .* got 1.0 and -1"),
        ({"step_range": (0.0, float("inf"))}, "step_range: .* between -1e.06 and 1e.06, got 0"),
        ({"pairs": (200, 200)}, "pairs: expected every number once, got 200 several times"),
        ({"sources": ()}, "sources: expected at least one number, got none"),
        ({"sampling": Sampling(advantages="normalized")}, "advantages: expected raw"),
        ({"random_range": (float("nan"), 1.0)}, "random_range: expected two growing numbers"),
        ({"points": (0, 3)}, "points: expected an integer from 1 to 1000, got 0"),
        ({"points": (3, 3, 3)}, "points: expected two numbers of grid points, got "),
        ({"budget": -1}, "budget: expected an integer >= 1, got -1"),
        ({"target_error": float("nan")}, "target_error: expected a number > 0, got nan"),
        ({"budget": 0, "pairs": (2000,)}, "budget: expected an integer >= 1"),
        ({"target_error": 0.0, "pairs": (2000,)}, "target_error: expected a number > 0"),
        ({"budget": 9000}, "pairs: expected one number, the most for a point, with"),
        ({"budget": 9000, "pairs": (200,)}, r"part_pairs: expected less than pairs \(200\)"),
    ):
        with pytest.raises(ValueError, match=match):
            LandscapeStudy(**(SMALL | change))
    with pytest.raises(TypeError, match="points: expected two numbers of grid points, got int"):
        LandscapeStudy(**(SMALL | {"points": 3}))
    (tmp_path / "file").touch()
    for bad, match in (
        ({"out": tmp_path / "file"}, "out: expected a folder, got the file"),
        ({"num_threads": 0}, "num_threads: expected an integer >= 1, got 0"),
        ({"iterations": ()}, "iterations: expected at least one, got none"),
        ({"runs": []}, "agents: expected at least one run, file or agent, got none"),
    ):
        for function in (STUDIES["landscape"].describe, pgcore.studies.landscape):
            own = {"runs": runs, "out": tmp_path / "x"} | SMALL | bad
            agents, out = own.pop("runs"), own.pop("out")
            with pytest.raises(ValueError, match=match):
                function(agents, out, **own)
    assert not (tmp_path / "x").exists()
