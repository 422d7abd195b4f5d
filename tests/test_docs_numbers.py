"""What the documents quote is what the kept datasets give."""

import shutil
import sys

import numpy as np
import pytest
import xarray as xr

from conftest import ROOT

sys.path.append(str(ROOT / "experiments"))
import numbers_in_docs
from pack import keep, opened
from quoted.landscapes import pooled_change
from quoted.writing import effect, number, significant, span

EARLY = "updates.a2c.change"


@pytest.fixture(scope="module")
def documents():
    return {path: path.read_text() for path in numbers_in_docs.DOCUMENTS}


def test_the_documents_quote_the_datasets(documents):
    for path, document in documents.items():
        assert numbers_in_docs.differences(document) == [], path.name


def test_what_can_be_quoted_is_quoted(documents):
    quoted = {
        f"{m[1]}.{m[2]}" for d in documents.values() for m in numbers_in_docs.MARK.finditer(d)
    }
    results = numbers_in_docs.RESULTS
    every = {
        f"{topic}.{name}"
        for topic in numbers_in_docs.TOPICS
        for name in numbers_in_docs.texts(topic, results)
    }
    assert quoted == every


def test_a_number_that_is_changed_is_found(documents):
    """In a document by hand, and in a dataset; `--write` puts it right again."""
    path = ROOT / "docs" / "update_study.md"
    document = documents[path]
    mark = f"<!--n:{EARLY}-->0.50 ["
    assert mark in document
    changed = document.replace(mark, f"<!--n:{EARLY}-->0.60 [")
    (line,) = numbers_in_docs.differences(changed)
    assert line.startswith(f"{EARLY}: the document says '0.60 [") and "the datasets '0.50 [" in line
    assert numbers_in_docs.filled(changed) == document


def test_a_dataset_that_is_changed_is_found(documents, tmp_path):
    name = "hopper-early.zarr.zip"
    shutil.copy(numbers_in_docs.RESULTS / name, tmp_path)
    data = opened(tmp_path / name)
    data["change"] = data["change"] + 1.0
    keep(data, tmp_path / name)
    document = documents[ROOT / "docs" / "update_study.md"]
    found = {line.split(":")[0] for line in numbers_in_docs.differences(document, tmp_path)}
    assert {EARLY, "updates.ppo.change.first"} <= found
    assert "updates.ppo.own.rest" not in found  # of the surrogate


def test_a_mark_that_breaks_the_page_is_found():
    whole = f"is <!--n:{EARLY}-->0.50 [0.23, 0.77]<!--/n--> so"
    assert numbers_in_docs.differences(whole) == []
    (line,) = numbers_in_docs.differences("of\n  " + whole[3:])
    assert line.startswith("a line must not begin with a mark")
    (line,) = numbers_in_docs.differences(whole.replace("<!--/n-->", ""))
    assert line.startswith("a mark without its other half")
    with pytest.raises(SystemExit, match="updates has no 'nothing'"):
        numbers_in_docs.differences("<!--n:updates.nothing-->1<!--/n-->")


def test_how_numbers_are_written():
    assert number(-0.001) == "0.00" and number(1143.4, 0, "+") == "+1143"
    assert number(93_112, 0) == "93,112" and significant(93_112) == "93,000"
    assert significant(0.0123) == "0.012" and span([0.031, np.nan, 0.184]) == "0.03 to 0.18"
    assert effect((-3.0, -5.0, -1.0)).startswith("lowers it (-3 [-5, -1])")
    assert effect((3.0, -5.0, 11.0)).startswith("does not clearly change it")


def test_maps_of_one_step_are_pooled_by_trajectories():
    """The centre from the maps of both steps, and without those of few pairs per point."""
    places = {
        "agent": ["ppo"], "iteration": [150], "source": [2000, 100_000], "pairs": [2000, 20_000],
        "step_scale": [0.0, 0.5, 1.0], "random_scale": [0.0],
    }  # fmt: skip
    shape = [len(v) for v in places.values()]
    count = np.ones(shape) * np.array([10.0, 30.0]).reshape(1, 1, 2, 1, 1, 1)
    reward = count + np.array([0.0, 1.0, 5.0]).reshape(1, 1, 1, 1, 3, 1)
    reward[:, :, :, 0] += 1000.0  # of few pairs per point
    data = xr.Dataset(
        {
            "trajectories": (list(places), count),
            "reward": (list(places), reward),
            "reward_error": (list(places), 30.0 / count),
        },
        places,
    )
    middle, low, high = pooled_change(data, "ppo", 150, 2000)
    centre = (10 * 10 + 30 * 30) / 40  # 10 and 30 trajectories, with errors of 3 and 1
    error = np.hypot(3.0, np.hypot(0.25 * 3.0, 0.75 * 1.0))
    assert middle == pytest.approx(15.0 - centre)
    assert (high - low) / 2 == pytest.approx(1.96 * error)
