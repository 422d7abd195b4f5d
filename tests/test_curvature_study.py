"""The curvature study: what its parts say, the same bits however it is run, and its words."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from conftest import HEADS, assert_same_dataset
from pgcore.learning.algorithms import ALGORITHMS
from pgcore.learning.trpo import TrpoSettings
from pgcore.studies import curvature_subspaces, figures
from pgcore.studies.catalog import STUDIES
from pgcore.studies.curvature.study import CurvatureStudy
from pgcore.studies.engine.reading import open_study
from pgcore.studies.pairs import sampling as pair_sampling
from pgcore.studies.pairs.sampling import Sampling
from report_reading import reported
from test_curvature import small_agent

SMALL = {
    "iterations": (0, 2),
    "pairs": (128,),
    "vectors": 3,
    "updates": 2,
    "update_pairs": 64,
    "true_pairs": 256,
}


@pytest.fixture(scope="module")
def measured(runs, tmp_path_factory):
    """The study of two agents, two iterations and two trials, on one thread; and its folder."""
    folder = tmp_path_factory.mktemp("curvature")
    return curvature_subspaces(runs, folder, num_threads=1, **SMALL), folder


def test_the_study_is_what_its_parts_say(measured):
    """Shares, overlaps and intervals of the dataset from its stored vectors, by their formulas."""
    data, folder = measured[0].sel(agent="ppo"), measured[1]
    vectors = open_study(folder / "dataset.zarr")["eigenvector"].sel(agent="ppo").squeeze("n")
    others = open_study(folder / "gradients.zarr").sel(agent="ppo")
    at = {"iteration": 2, "trial": 1, "matrix": "hessian"}
    U = vectors.sel(at).transpose("half", "vector", "parameter").values
    for name in ("gradient", "step"):
        x = others[name].sel(iteration=2, trial=1).transpose("update", "parameter").values
        expected = [[((u @ v) ** 2).sum() / (v @ v) for v in x] for u in U]
        got = data[f"{name}_shares"].sel(at).squeeze().values
        np.testing.assert_allclose(got, np.mean(expected, axis=0), rtol=1e-10)
        share = data[f"{name}_share"].sel(at).item()
        assert share == pytest.approx(np.mean(expected))
        trials = data[f"{name}_share"].sel(iteration=2, matrix="hessian").squeeze()
        width = 12.706 * trials.values.std(ddof=1) / np.sqrt(2)  # Student's t, one degree
        low = data[f"{name}_share_over_trials_low"].sel(iteration=2, matrix="hessian").item()
        assert low == pytest.approx(max(trials.mean().item() - width, 0), rel=1e-4)
    before = vectors.sel({**at, "iteration": 0}).transpose("half", "vector", "parameter").values

    def overlap(a, b):
        return ((a @ b.T) ** 2).sum() / 3

    mean = np.mean([overlap(a, b) for a in U for b in before])
    for name, iteration in (("overlap_with_next", 0), ("overlap_with_first", 2)):
        got = data[name].sel({**at, "iteration": iteration}).item()
        assert got == pytest.approx(mean, rel=1e-10)
    assert data["overlap_with_next"].sel(iteration=2).isnull().all()
    assert data["split_half"].sel(at).item() == pytest.approx(overlap(*U), rel=1e-10)
    assert (data["random_level"] == 3 / 198).all()


def test_no_stream_gives_eigenvectors_and_gradients(tmp_path, monkeypatch):
    """Nor two halves, nor two updates: every stream is sampled once."""
    seen = []
    collect = pair_sampling.collect

    def recorded(*args, **options):
        seen.extend((options["seed"], int(i)) for i in options["stream_ids"])
        return collect(*args, **options)

    monkeypatch.setattr(pair_sampling, "collect", recorded)
    curvature_subspaces(small_agent(), tmp_path, **{**SMALL, "iterations": None})
    assert len(seen) == len(set(seen)) == 2 + 2 + 2  # updates, true halves, halves


def test_equal_bits_for_threads_extension_and_a_lost_cell(runs, measured, tmp_path):
    """1 and 3 threads; agents, iterations and trials that come later; a cell that was lost."""
    begun = {**SMALL, "iterations": (0,), "trials": 1}
    curvature_subspaces(runs[0], tmp_path, num_threads=3, **begun)
    chunk = tmp_path / "dataset.zarr" / "finished" / "c" / "0" / "0" / "0" / "0"
    assert chunk.is_file()
    chunk.unlink()  # as a kill before the last write of a cell leaves it
    shutil.rmtree(tmp_path / "dataset.zarr" / "trace" / "c" / "0" / "0" / "0")
    shutil.copytree(tmp_path, tmp_path.with_name("trials"))
    for out, sources, more, cells in (
        (tmp_path, runs, {"trials": 1}, 4),
        (tmp_path.with_name("trials"), runs[:1], {"iterations": (0,)}, 2),
    ):
        curvature_subspaces(sources, out, num_threads=3, **{**SMALL, **more})
        for store in ("dataset.zarr", "gradients.zarr"):
            grown = open_study(out / store)
            there = {d: grown[d] for d in ("agent", "iteration", "trial")}
            assert np.prod([d.size for d in there.values()]) == cells
            assert_same_dataset(open_study(measured[1] / store).sel(there), grown)
    assert measured[0]["gradient_share"].notnull().all()


def test_more_pairs_come_to_what_is_there_and_another_seed_changes_all(tmp_path):
    agent, options = small_agent(), {**SMALL, "iterations": None}
    first = curvature_subspaces(agent, tmp_path / "a", **{**options, "pairs": (64,)})
    grown = curvature_subspaces(agent, tmp_path / "a", **{**options, "pairs": (64, 128)})
    whole = curvature_subspaces(agent, tmp_path / "b", **{**options, "pairs": (64, 128)})
    assert_same_dataset(whole, grown)
    assert (first["split_half"] == whole["split_half"].sel(n=[64])).all()
    assert (whole["split_half"].sel(n=64) != whole["split_half"].sel(n=128)).all()
    other = curvature_subspaces(agent, tmp_path / "c", seed=1, **{**options, "pairs": (64,)})
    for name in ("split_half", "gradient_share", "true_cosine"):
        assert (other[name] != first[name]).all(), name


def test_other_heads_algorithms_and_sizes_stand_side_by_side(tmp_path):
    agents = {
        "a2c": small_agent("a2c", **HEADS["softplus, tanh"]),
        "linear": small_agent("trpo", hidden=()),
    }
    options = {**SMALL, "iterations": None}
    data = curvature_subspaces(agents, tmp_path, **options)
    assert data["gradient_share"].notnull().all() and data["split_half"].notnull().all()
    small = {n: a.policy.flat.shape[1] for n, a in agents.items()}
    for name, size in small.items():
        assert (data["random_level"].sel(agent=name) == 3 / size).all()
    assert "linear - a2c" in figures.curvature_table(data)


def test_table_and_figures(measured, tmp_path, prints):
    data, _ = measured
    for name, variable in data.variables.items():
        assert {"units", "description"} <= set(variable.attrs), name
    table = figures.curvature_table(data)
    assert table.count("\nppo  ") == 2 * 2 * 2  # blocks, iterations, matrices
    assert "independent of those that gave the eigenvectors" in table
    assert "[95 % interval over them], paired" in table
    assert "fewer than 6: what is said about agents is a description" in table
    assert "refused" not in table
    numbers = [n for n in data.data_vars if "trial" in data[n].dims and data[n].dtype.kind == "f"]
    lost = data.assign({n: data[n].where(data["trial"] == 0) for n in numbers})
    ends = [n for n in data.data_vars if n.endswith(("_over_trials_low", "_over_trials_high"))]
    lost = lost.assign({n: np.nan * data[n] for n in ends})  # what one trial has of them
    shares = [line for line in figures.curvature_table(lost).splitlines() if line[:4] == "ppo "]
    assert len(shares) == 8 and not any("[" in line for line in shares), "one of two: no interval"
    figure = figures.curvature_figure(data, "hessian", 128)
    assert [ax.get_title() for ax in figure.axes] == ["PPO", "TRPO", *[""] * 4]
    title = " ".join(figure._suptitle.get_text().split())
    assert title.startswith("Hopper-v2: PPO, TRPO; leading eigenvectors of the surrogate's Hessian")
    level = figure.axes[2].get_lines()[-1].get_ydata()
    np.testing.assert_allclose(level, 3 / 198)
    STUDIES["curvature"].report(data, tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"curvature-fisher-128.png", "curvature-hessian-128.pdf", "summary.txt"} <= names
    assert (tmp_path / "summary.txt").read_text() == table
    assert "curvature: Do gradients and steps lie" in reported(data, tmp_path / "report")


def test_steps_that_are_refused_have_no_share_and_are_counted(tmp_path):
    agent = dataclasses.replace(small_agent("trpo"), settings=TrpoSettings(accept_ratio=1e6))
    data = curvature_subspaces(agent, tmp_path, **{**SMALL, "iterations": None})
    assert data["step_shares"].isnull().all() and data["gradient_shares"].notnull().all()
    table = figures.curvature_table(data)
    assert "2 steps were refused" in table
    figures.curvature_figure(data, "fisher", 128)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"pairs": (8,)}, "pairs"),
        ({"vectors": 0}, "vectors"),
        ({"updates": 0}, "updates"),
        ({"update_pairs": 1}, "update_pairs"),
        ({"true_pairs": 2}, "true_pairs"),
        ({"sampling": Sampling(advantages="normalized")}, "advantages"),
    ],
)
def test_bad_settings_say_their_name(change, name):
    with pytest.raises(ValueError, match=name):
        CurvatureStudy(**change)


def test_agents_that_cannot_be_studied_are_refused_by_name(tmp_path):
    known = ALGORITHMS["a2c"]

    def objective(ratio, advantages, settings):
        return torch.from_numpy((ratio.detach() * advantages).numpy()).mean(-1)

    mine = dataclasses.replace(known, name="mine", objective=objective)
    agent = dataclasses.replace(small_agent("a2c"), algorithm=mine)
    with pytest.raises(ValueError, match=r"agents: .* differentiates twice, got mine of own"):
        curvature_subspaces({"own": agent}, tmp_path / "s")
    none = dataclasses.replace(agent, algorithm=None, settings=None)
    with pytest.raises(ValueError, match="needs the algorithm"):
        curvature_subspaces(none, tmp_path / "s")
    with pytest.raises(ValueError, match="vectors: expected an integer from 1 to 11, got 12"):
        curvature_subspaces(small_agent(hidden=()), tmp_path / "s", vectors=12)
    assert not (tmp_path / "s").exists()


def test_a_description_says_where_the_pairs_are(tmp_path):
    text = STUDIES["curvature"].describe(small_agent(), tmp_path, num_threads=1)
    assert "1 of 1 cells" in text and "held in memory" in text
    many = STUDIES["curvature"].describe(small_agent(), tmp_path, num_threads=1, pairs=(10**7,))
    assert "temporary files of 0.28 GB" in many
