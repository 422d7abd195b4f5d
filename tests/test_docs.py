"""What the documents say works: commands of the README, examples, and links."""

import contextlib
import re
import shlex
import sys

import numpy as np
import pytest

import pgcore
from conftest import ROOT
from pgcore import cli
from pgcore.studies.catalog import STUDIES

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_nothing_is_left_to_fill_in(path):
    assert not re.findall(r"@[A-Z]+@|TODO|FIXME|XXX", path.read_text())


def code_blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_the_readme_example_runs(runs, tmp_path, monkeypatch):
    """And its agent may be studied beside a run of its commands, which is on one task with it."""
    monkeypatch.chdir(tmp_path)
    blocks = code_blocks(ROOT / "README.md", "python")
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    commands = (ROOT / "README.md").read_text()
    assert "pgcore train --task Hopper-v2 --algorithm ppo" in commands  # as the run is
    plans = STUDIES["gradient"].plan(
        {"mine": "mine.safetensors", "ppo": runs[0]}, tmp_path / "study", None, {}
    )[1]
    assert set(plans) == {"true.zarr", "dataset.zarr"}


def test_the_commands_of_the_readme_are_understood(capsys):
    """Every `pgcore` command line parses, and names options that exist."""
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^    (pgcore .*)$", text, re.MULTILINE)
    assert len(commands) >= 5
    helps = {}
    for command in commands:
        words = shlex.split(command.split("#")[0])[1:]
        words, options = words[: 2 if words[0] == "study" else 1], set(words)
        if tuple(words) not in helps:
            with contextlib.suppress(SystemExit):
                cli.main([*words, "--help"])
            helps[tuple(words)] = capsys.readouterr().out
        for option in (w for w in options if w.startswith("--")):
            assert option in helps[tuple(words)], command


def test_two_variants_are_compared_in_one_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = code_blocks(ROOT / "docs" / "compare.md", "python")
    exec(compile(block, "compare.md", "exec"), {})
    assert re.search(
        r"^[+-]\d.\d\d \[.*\], 3 trials, paired$", capsys.readouterr().out, re.MULTILINE
    )
    assert (tmp_path / "studies" / "variants" / "gradient_quality.png").stat().st_size > 10_000


def test_what_the_page_of_datasets_names_is_there(runs, folders, regimes, tmp_path):
    rows = re.findall(
        r"^\| (\w+) \| (`.*) \|$", (ROOT / "docs/compare.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in rows] == [*STUDIES]
    opened = {name: pgcore.open(path) for name, path in (folders | {"regime": regimes}).items()}
    few = {"iterations": (2,), "trials": 1}
    opened["variance"] = pgcore.studies.variance_budget(
        runs[:1], tmp_path / "b", trajectories=10, first_actions=3, fit_pairs=500, **few
    )
    opened["curvature"] = pgcore.studies.curvature_subspaces(
        runs[:1], tmp_path / "c", pairs=(64,), vectors=2, updates=2, update_pairs=64,
        true_pairs=128, **few,
    )  # fmt: skip
    for study, text in rows:
        data = opened[study]
        for name in re.findall(r"`(\w+\w)`", text):
            assert name in data or name == "step_", (study, name)
        for name, variable in data.variables.items():
            assert {"units", "description"} <= set(variable.attrs), (study, name)


def test_the_example_study_runs(runs, tmp_path):
    (block,) = code_blocks(ROOT / "docs" / "new_study.md", "python")
    assert len(block.splitlines()) < 150
    module = tmp_path / "disturbance_study.py"
    module.write_text(block)
    sys.path.insert(0, str(tmp_path))
    try:
        from disturbance_study import disturbance

        first = disturbance(runs, tmp_path / "a", [0, 2], [0.0, 1.0], pairs=200, trials=1)
        second = disturbance(
            runs, tmp_path / "b", [0, 2], [0.0, 1.0], pairs=200, trials=1, num_threads=1
        )
    finally:
        sys.path.remove(str(tmp_path))
    np.testing.assert_array_equal(first["reward"].values, second["reward"].values)
    assert np.isfinite(first["reward"].values).all()


def test_what_is_kept_of_a_study_can_be_drawn_again(runs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    import pack

    landscape, value_prediction = pgcore.studies.landscape, pgcore.studies.value_prediction

    few = {"sources": (128,), "points": (2, 2), "scout_pairs": 100}
    landscape(runs[:1], tmp_path / "map", iterations=(2,), pairs=(100,), **few)
    value_prediction(
        runs[:1], tmp_path / "value", iterations=(2,), variance_iterations=(), held_out_pairs=600
    )
    landscape(runs[:1], tmp_path / "more", iterations=(0, 2), pairs=(200,), **few)
    out = tmp_path / "kept"
    for name in ("map", "value"):
        pack.main(pack.Command(name, (tmp_path / name,), out))
    table = (out / "value-summary.txt").read_text()
    (out / "value-summary.txt").unlink()
    pack.main(pack.Command("value", (), out))
    assert (out / "value-summary.txt").read_text() == table
    names = {p.name for p in out.iterdir()}
    assert {"map.zarr.zip", "value-errors.zarr.zip", "map-contour-ppo-trial0-step128.png"} <= names
    with pytest.raises(SystemExit, match=r"name: no nothing\*\.zarr\.zip"):
        pack.main(pack.Command("nothing", (), out))
    monkeypatch.setattr(pack, "draw", lambda name, out: None)
    pack.main(pack.Command("both", (out / "map.zarr.zip", tmp_path / "more"), out))
    both = pack.opened(out / "both.zarr.zip")
    assert both.sizes["iteration"] == 2 and both.sizes["pairs"] == 2
    known = both["reward"].notnull().all(("step_scale", "random_scale")).squeeze().values
    np.testing.assert_array_equal(known, [[False, True], [True, True]])
