"""`pgcore export`: every number of a study in one tidy table, and its files."""

import importlib.util
import io
import json
import os
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pgcore
from latex import compiled, needs_pdflatex
from pgcore import cli
from pgcore.studies.export.formats import FORMATS
from pgcore.studies.export.frame import VALUES, quantities_of, tidy_frame, with_interval

SPEC = json.dumps({"study": "gradient quality", "task": "Hopper-v2"})


def small_dataset():
    """Two agents; a number with an interval, one without, a constant, an integer, texts."""
    dims = ("agent", "trial", "n")
    rng = np.random.default_rng(0)
    value = rng.normal(size=(2, 2, 3))
    value[1, 1, 2], value[0, 0, 0] = np.nan, np.inf
    units = {"units": "pairs", "description": "a scale | of n_pairs"}
    return xr.Dataset(
        {
            "scale": (dims, value, units),
            "scale_low": (("n", "agent", "trial"), (value - 1).transpose(2, 0, 1), units),
            "scale_high": (dims, value + 2, units),
            "kept_low": (("agent",), [1.0, 2.0], {"units": "1", "description": "no interval"}),
            "whole": ((), 7, {"units": "1", "description": "of all"}),
        },
        {"agent": ["ppo_1", "trpo & co"], "trial": [0, 1], "n": [64, 128, 256]},
        {"spec": SPEC},
    )


def test_every_known_number_has_a_row_with_its_interval():
    data = small_dataset()
    frame = tidy_frame(data)
    assert tuple(frame.columns) == ("agent", "trial", "n", *VALUES)
    scale = frame[frame["quantity"] == "scale"]
    assert len(scale) == 11  # one is missing
    for row in scale.itertuples():
        at = {"agent": row.agent, "trial": row.trial, "n": row.n}
        for column, name in (("value", "scale"), ("low", "scale_low"), ("high", "scale_high")):
            assert getattr(row, column) == float(data[name].sel(at))
        assert (row.unit, row.description) == ("pairs", "a scale | of n_pairs")
    assert list(frame["quantity"].unique()) == ["scale", "kept_low", "whole"]
    (whole,) = frame[frame["quantity"] == "whole"].itertuples()
    assert whole.value == 7 and pd.isna(whole.agent) and np.isnan(whole.low)
    assert with_interval(data) == ["scale"]
    assert len(tidy_frame(data, ["whole", "kept_low"])) == 3
    assert len(tidy_frame(data.where(data["n"] < 0)[["scale"]])) == 0


def test_a_part_says_what_it_is_of():
    """What was selected is a column, so that exports of several parts stay apart."""
    data = small_dataset()
    part = tidy_frame(data.sel(agent="ppo_1", n=128))
    assert (part["agent"] == "ppo_1").all() and (part["n"] == 128).all()
    assert sorted(part["trial"][part["quantity"] == "scale"]) == [0, 1]


def test_each_format_says_the_same(tmp_path):
    data = small_dataset()
    frame = pgcore.export(data, "csv", tmp_path / "new" / "t.csv")
    pd.testing.assert_frame_equal(frame, pgcore.export(data))
    csv = pd.read_csv(tmp_path / "new" / "t.csv", dtype={"unit": str, "trial": "Int64"})
    np.testing.assert_array_equal(csv["value"], frame["value"])
    assert csv["trial"].tolist() == frame["trial"].tolist()
    pgcore.export(data, "json", tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text(), parse_constant=pytest.fail)
    assert [row["quantity"] for row in rows] == frame["quantity"].tolist()
    for row, value, low in zip(rows, frame["value"], frame["low"], strict=True):
        assert float(row["value"]) == value
        assert (row["low"] is None) == bool(np.isnan(low))
    assert rows[-1]["agent"] is None and rows[0]["value"] == "inf"
    texts = {}
    for to in ("markdown", "latex"):
        only = pgcore.export(data, to, tmp_path / to)
        assert only["quantity"].unique().tolist() == ["scale"]
        texts[to] = (tmp_path / to).read_text()
        number = f"{only['value'].iloc[1]:.4g}"
        assert number in texts[to] and "gradient study of Hopper-v2" in texts[to]
    lines = [line for line in texts["markdown"].splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 11
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {8}
    assert texts["latex"].count(r"\\") == 1 + 11
    assert "ppo 1 & 0 & 64 & scale & $\\infty$" in texts["latex"]
    assert (
        "In all rows: unit pairs." in texts["latex"]
        and "all rows: unit pairs." in texts["markdown"]
    )
    assert r"trpo \& co" in texts["latex"] and "% scale: a scale | of n_pairs" in texts["latex"]


def test_what_is_the_same_in_all_rows_is_said_once(tmp_path):
    data = small_dataset().isel(agent=[1], n=[0])
    assert len(pgcore.export(data, "markdown", tmp_path / "t.md")) == 2
    text = (tmp_path / "t.md").read_text()
    assert "| trial | quantity | value | low | high |" in text
    assert "In all rows: agent trpo & co, n 64, unit pairs." in text
    pgcore.export(data.isel(trial=[0]), "markdown", tmp_path / "t.md")  # one row keeps its places
    assert "| trpo & co | 0 | 64 | scale |" in (tmp_path / "t.md").read_text()


@needs_pdflatex
def test_latex_compiles_and_fits_a_page(tmp_path):
    """A4 with margins of 2 cm, names as long as our studies have them."""
    data = small_dataset().rename(scale="step_split_half_cosine_over_trials")
    names = {f"scale_{e}": f"step_split_half_cosine_over_trials_{e}" for e in ("low", "high")}
    path = tmp_path / "t.tex"
    pgcore.export(data.rename(names), "latex", path)
    # longtable knows its widths at the second run
    told = compiled(tmp_path, [path], width=r"\textwidth=17cm", runs=2)
    assert "Overfull" not in told, told


def test_parquet_or_a_line_that_says_what_it_needs(tmp_path, monkeypatch):
    if importlib.util.find_spec("pyarrow"):
        frame = pgcore.export(small_dataset(), "parquet", tmp_path / "t.parquet")
        back = pd.read_parquet(io.BytesIO((tmp_path / "t.parquet").read_bytes()))
        for name in frame:
            same = (frame[name] == back[name]) | (frame[name].isna() & back[name].isna())
            assert same.all(), name
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"parquet needs pyarrow, pgcore's extra parquet"):
        pgcore.export(small_dataset(), "parquet", tmp_path / "none" / "t.parquet")
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def studied(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "step"
    pgcore.studies.update_steps(
        runs, out, steps=2, pairs=(64,), reward_pairs=100, iterations=(2,), trials=1
    )
    return out


def test_the_command_writes_what_the_dataset_has(studied, capsys):
    cli.main(["export", str(studied), "--to", "csv"])
    assert re.search(r"export\.csv: \d+ rows, \d+ quantities\n", capsys.readouterr().out)
    data, table = pgcore.open(studied), pd.read_csv(studied / "export.csv")
    known = [name for name in quantities_of(data) if data[name].notnull().any()]
    assert sorted(table["quantity"].unique()) == sorted(known)
    for name, rows in table.groupby("quantity"):
        assert len(rows) == int(data[name].notnull().sum()), name
        np.testing.assert_allclose(rows["value"].sum(), float(data[name].sum()), rtol=1e-12)
    assert set(table["agent"].dropna()) == set(data["agent"].values)
    cli.main(["export", str(studied), "--to", "json", "--quantities", known[0]])
    assert {r["quantity"] for r in json.loads((studied / "export.json").read_text())} == {known[0]}
    assert "Hopper-v2" in pgcore.open(studied).attrs["spec"], "the folder is still a study"


def test_what_cannot_be_exported_is_said_in_a_line(studied, tmp_path, capsys):
    for words, text in (
        ([str(tmp_path), "--to", "csv"], "study: .* holds no study's datasets"),
        ([str(studied), "--to", "csv", "--quantities", "x"], "quantities: the study has none .*x"),
        ([str(studied), "--to", "csv", "--quantities"], "quantities: expected names of variables"),
        ([str(studied), "--to", "csv", "--out", str(tmp_path)], "out: expected a file, got the fo"),
        (
            [str(studied), "--to", "csv", "--out", f"{tmp_path}/tables/"],
            "out: expected a file, got the folder .*/tables/",
        ),
        ([str(studied), "--to", "excel"], "excel"),
        ([str(studied)], "--to"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(["export", *words])
        said = capsys.readouterr().err
        assert stop.value.code == 2 and re.search(text, said) and said.count("\n") == 1
    data = small_dataset()
    with pytest.raises(ValueError, match="it is in the rows of scale"):
        pgcore.export(data, quantities=["scale_low"])
    with pytest.raises(ValueError, match="out: expected a file, since a dataset has no folder"):
        pgcore.export(data, "csv")
    with pytest.raises(ValueError, match=r"to: expected one of csv, .* beside out"):
        pgcore.export(data, out=tmp_path / "x.csv")
    with pytest.raises(TypeError, match="quantities: expected names"):
        pgcore.export(data, quantities="scale")
    with pytest.raises(ValueError, match="is no study's"):
        pgcore.export(data.drop_attrs())


def test_an_export_replaces_exports_alone(tmp_path):
    """Of every format; another program's file, a device and what a link names stay."""
    data = small_dataset()
    formats = [to for to in FORMATS if to != "parquet" or importlib.util.find_spec("pyarrow")]
    for to in formats:
        for _ in range(2):
            pgcore.export(data, to, tmp_path / f"own.{to}")
    first = (tmp_path / "own.csv").read_bytes()
    for to in ("json", "csv"):
        pgcore.export(data, to, tmp_path / "own")
    assert (tmp_path / "own").read_bytes() == first
    for name, text in {"metrics.csv": "iteration,loss\n0,1\n", "config.json": "{}"}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=f"out: .*{name} is there and is no export"):
            pgcore.export(data, "csv", tmp_path / name)
        assert (tmp_path / name).read_text() == text
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="out: expected a file, got the device or pipe"):
        pgcore.export(data, "csv", tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(ValueError, match="out: expected a file, got the folder"):
        pgcore.export(data, "csv", tmp_path)
    (tmp_path / "link.csv").symlink_to("aim.csv")
    for _ in range(2):
        pgcore.export(data, "csv", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "aim.csv").read_bytes() == first
    for to, name in (("csv", "table.json"), ("json", "table.csv"), ("latex", "table.parquet")):
        with pytest.raises(ValueError, match=f"expected a name that goes with {to}, got {name}"):
            pgcore.export(data, to, tmp_path / name)
    pgcore.export(data, "csv", tmp_path / "table.txt")
    with pytest.raises(ValueError, match="quantities: expected names of variables, or None"):
        pgcore.export(data, quantities=[])
