"""What is kept of results is drawn again from its datasets."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT

sys.path.append(str(ROOT / "experiments"))
import learning_curves
import pack
import redraw

KEPT = ROOT / "experiments" / "results"


def test_what_is_kept_is_drawn_again_by_one_command(runs, tmp_path, capsys):
    """A study and learning curves; a picture without a dataset is named and left alone."""
    (tmp_path / "kept").mkdir()
    for path in KEPT.glob("hopper-value-cut-*.zarr.zip"):
        (tmp_path / "kept" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "kept" / "hopper-learning"
    learning_curves.main(learning_curves.Command(tuple(map(str, runs)), out))
    table = out.with_suffix(".txt").read_text()
    for path in (tmp_path / "kept").iterdir():
        if path.suffix != ".zip":
            path.unlink()
    (tmp_path / "kept" / "other.png").write_bytes(b"a picture")
    redraw.main(redraw.Command(out=tmp_path / "kept"))
    names = {p.name for p in (tmp_path / "kept").iterdir() if p.suffix != ".zip"}
    assert names == {
        *("other.png", "hopper-learning.png", "hopper-learning.txt"),
        *("hopper-value-cut-summary.txt", "hopper-value-cut-value_errors.png"),
    }
    assert out.with_suffix(".txt").read_text() == table
    said = capsys.readouterr().out
    assert said.endswith("no dataset is kept, so that these stay as they are:\n  other.png\n")
    with Image.open(out.with_suffix(".png")) as image:
        assert image.mode == "P" and image.width > 600


def test_curves_of_labelled_variants_say_what_they_have_more(runs, tmp_path, capsys):
    """Their tasks may differ; what is not told apart, and an empty label, is one line."""
    ppo, trpo = runs
    other = tmp_path / "other"
    shutil.copytree(trpo, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"Hopper-v2"', '"Hopper-v4"'))
    out, labelled = tmp_path / "curves", (f"trpo={trpo}", f"trpo, v4={other}")
    learning_curves.main(learning_curves.Command(labelled, out))
    assert "Hopper-v2 and Hopper-v4 trpo, v4: +0 [" in capsys.readouterr().out
    data = pack.opened(tmp_path / "curves.zarr.zip")
    again = (str(tmp_path / "curves.zarr.zip"), f"trpo, v4, wide={other}")
    learning_curves.main(learning_curves.Command(again, tmp_path / "more"))
    assert "trpo, v4, wide: +0 [" in (said := capsys.readouterr().out)
    assert said.strip().endswith("in the mean, against trpo, v4")
    joined = pack.opened(tmp_path / "more.zarr.zip")
    np.testing.assert_array_equal(
        joined["return_mean"].sel(agent=data["agent"]), data["return_mean"]
    )
    for bad, words in {
        again[:1] * 2: "several runs of trpo",
        (str(KEPT / "hopper-step.zarr.zip"),): "holds no curves",
        ("none.zarr.zip",): "no file none.zarr.zip",
        (str(trpo), str(other)): "runs of several need labels",
        (str(trpo), str(trpo)): "several runs of trpo; give labels",
        (f"={ppo}",): "expected a label",
        (str(tmp_path),): "is no training run",
    }.items():
        with pytest.raises(SystemExit, match=words):
            learning_curves.main(learning_curves.Command(bad, out))


def test_every_kept_picture_but_the_oldest_has_its_dataset():
    names = redraw.names_in(KEPT)
    sources = (*(f"{name}-" for name in names), *(f"{name}.png" for name in names), "overview")
    drawn = (p for p in KEPT.glob("*.png") if not p.with_suffix(".json").exists())
    without = {p.name for p in drawn if not p.name.startswith(sources)}
    assert without <= {f"{task}-learning.png" for task in ("hopper", "humanoid")}


def test_a_name_that_reads_as_a_store_of_a_value_study_is_refused(tmp_path):
    """`hopper-variance` would be the variances of the value study `hopper`."""
    for store in pack.VALUE_STORES:
        with pytest.raises(SystemExit, match="does not end as a value study's store"):
            pack.main(pack.Command(name=f"hopper-{store}", out=tmp_path))


def test_every_kept_study_has_its_name():
    """What `redraw.py` takes for a study opens as one, with a task."""
    for name in redraw.names_in(KEPT):
        data = pack.kept(name, KEPT)
        assert all(json.loads(d.attrs["spec"])["task"] for d in data.values()), name
