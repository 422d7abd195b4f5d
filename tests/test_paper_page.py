"""The page of the paper's figures, and the checks of stored results from outside."""

import ast
import functools
import json
import re
import shutil
import sys

import numpy as np
import pytest

import pgcore
from browser import Browser, executable
from conftest import ROOT
from test_landscape import SMALL as SMALL_MAP

sys.path.append(str(ROOT / "experiments"))
import gathered
import independent
import paper_page
from paper_figures import FIGURES

RESULTS = ROOT / "experiments" / "results"


@pytest.fixture(scope="module")
def small(runs, tmp_path_factory):
    """A folder of `reproduce.py` with one study, gathered."""
    folder = tmp_path_factory.mktemp("reproduction")
    pgcore.studies.landscape(runs, folder / "Hopper-v2-landscape", **SMALL_MAP)
    shutil.copy(RESULTS / "claims.json", folder)
    gathered.gather(folder, folder / "kept")
    return folder / "kept"


def test_the_page_is_that_of_the_kept_studies():
    written = ROOT / "docs" / "paper.md"
    assert written.read_text() == paper_page.page(RESULTS, written)
    assert [f.number for f in FIGURES] == [*range(1, 21)]
    for target in re.findall(r"\]\(([^)#]+)\)", written.read_text()):
        assert (written.parent / target).exists(), target


def test_every_figure_says_what_is_not_run(small):
    """Of a folder with a study of Hopper alone, whatever else the paper draws is missing."""
    text = paper_page.page(small, small / "paper.md")
    parts = re.split(r"## Figure (\d+):", text)
    assert [int(n) for n in parts[1::2]] == [*range(1, 21)]
    for figure, part in zip(FIGURES, parts[2::2], strict=True):
        if figure.like is not None:
            assert f"[figure {figure.like}](#figure-{figure.like})" in part
        elif figure.number in (17, 18):
            assert ", 1 trial;" in part and "![Hopper-v2: " in part
            assert "Not run" not in part
        else:
            missing = [paper_page.TASKS[t] for t in figure.tasks]
            assert all(task in part.split("Not run:")[1] for task in missing)


@pytest.mark.skipif(executable() is None, reason="no browser is installed (Debian: chromium)")
def test_landscapes_are_unpacked_by_a_browser(small, tmp_path):
    path = tmp_path / "landscapes.html"
    path.write_text(paper_page.turned(small))
    assert path.stat().st_size < 3e6
    with Browser(tmp_path / "home") as browser:
        browser.open(path)
        browser.until("document.querySelectorAll('.surface canvas').length > 0")
        z = browser.run("Array.from(document.querySelector('.surface')._fullData[1].z[0])")
    rewards = paper_page.opened("hopper-landscape", small)["reward"]
    first = rewards.stack(row=("agent", "iteration", "trial", "source", "pairs")).isel(row=0)
    expected = first.transpose("random_scale", "step_scale").values[0]
    np.testing.assert_allclose(z, expected, rtol=1e-5)  # six digits


def test_the_outside_check_knows_nothing_of_pgcore():
    tree = ast.parse((ROOT / "experiments" / "independent.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    allowed = {"gymnasium", "numpy", "safetensors", "torch", "__future__", *sys.stdlib_module_names}
    assert names <= allowed


def test_stored_numbers_are_found_again_from_outside():
    """Of every kept case: 7 numbers of each of three tasks.

    The largest of 21 standard normals is above 3.5 once in 100 times, and so is their root mean
    square above 1.4; those of samples with few trajectories have longer tails.
    """
    rows = json.loads((RESULTS / "independent" / "compared.json").read_text())
    assert {row["task"] for row in rows} == {*paper_page.TASKS.values()}
    apart = np.array([n["apart"] for row in rows for n in row["numbers"].values()])
    assert len(apart) == 7 * len(rows) and np.abs(apart).max() < 3.5
    assert np.sqrt(np.mean(apart**2)) < 1.4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of v4, which the paper's tasks are
def test_the_outside_check_notices_another_agent():
    """Six estimates of a kept agent: its gradient's size is found, of half its rewards not."""
    case = independent.Case(RESULTS / "independent" / "hopper.safetensors")
    case.stream = functools.cache(case.stream)  # the same pairs, judged twice
    name = "gradient: mean log10 of |g|^2"
    stored = case.stored[name]

    def apart():
        found, error = independent.gradient_numbers(case, 6)[name]
        return abs(found - stored["value"]) / np.hypot(error, stored["error"])

    assert apart() < 4
    case.arrays["reward_std"] = case.arrays["reward_std"] * 2
    assert apart() > 4
