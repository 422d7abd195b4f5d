"""Agents that other libraries made and wrote, as `record_agents.py` recorded them."""

import shutil

import numpy as np
import pytest

from conftest import ROOT
from importing import HOPPER, refused
from pgcore.importers.table import READERS, import_agent

FOLDER = ROOT / "tests" / "data" / "agents"
FILES = sorted(p for p in FOLDER.iterdir() if p.suffix != ".npz")
PENDULUM = ("rllib", "cleanrl")


def task_of(file):
    return "gym:Pendulum-v1" if file.name.startswith(PENDULUM) else HOPPER


@pytest.mark.parametrize("source", ["file", "exported"])
@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_an_agent_computes_what_its_library_did(file, source, tmp_path):
    """The library's own file, and what its exporter's script stored of the same objects."""
    numbers = FOLDER / f"{file.stem}.npz"
    options = {"reference": numbers} if source == "file" else {}
    if file.suffix == ".cleanrl_model" and source == "file":  # statistics are not in it
        with np.load(numbers) as stored:
            variance = stored["scale"] ** 2 - 1e-8
            np.savez(tmp_path / "rms.npz", mean=stored["mean"], var=variance)
        options["normalizer"] = tmp_path / "rms.npz"
    agent = import_agent(
        file if source == "file" else numbers, task_of(file), trajectories=2, **options
    )
    check = agent.origin["check"]
    assert check["status"] == "verified" and check["observations"] == 1000
    names = ["means", "log_probs", *["values"] * (not file.name.startswith("torchrl"))]
    assert max(check[name] for name in names) < 1e-6  # of float32
    assert (agent.normalizer is None) == file.name.startswith("spinning_up")
    assert "not verified" not in agent.origin["trust"]
    assert ("copies" in agent.origin["trust"]) == ("shared" in file.name)


def test_every_library_is_recorded_or_made_here():
    seen = {name for name in READERS for f in FILES if f.name.startswith(name)}
    assert seen | {"sb3"} == set(READERS)


def test_a_module_of_rllib_alone_finds_its_filter_or_says_so(tmp_path):
    """The filter of its observations lies in another folder of the checkpoint."""
    root = shutil.copytree(FOLDER / "rllib_separate", tmp_path / "a")
    (module,) = root.rglob("module_state.pkl")
    whole, inside = (import_agent(p, "gym:Pendulum-v1", trajectories=2) for p in (root, module))
    np.testing.assert_array_equal(whole.normalizer.mean, inside.normalizer.mean)
    alone = shutil.copy(module, tmp_path / "module_state.pkl")
    agent = import_agent(alone, "gym:Pendulum-v1", trajectories=2)
    assert agent.normalizer is None
    assert "module_state.pkl alone holds no filter" in agent.origin["notes"]["normalizer"]
    assert "statistics perhaps missing" in agent.origin["trust"]


def test_a_normalizer_that_is_not_there_is_an_error(capsys, tmp_path):
    out = ("--task", "gym:Pendulum-v1", "--out", tmp_path / "x.safetensors")
    line = refused(
        capsys, FOLDER / "rllib_separate", *out, "--normalizer", tmp_path / "no", "--trajectories",
        "2",
    )  # fmt: skip
    assert "No such file" in line and "no:" in line


def test_layers_under_other_names_are_named(capsys, tmp_path):
    """A model of skrl that was written by hand."""
    import torch

    content = torch.load(FOLDER / "skrl_separate.pt", weights_only=False)
    content["policy"] = {k.replace("net_container", "net"): v for k, v in content["policy"].items()}
    torch.save(content, tmp_path / "a.pt")
    line = refused(capsys, tmp_path / "a.pt", "--task", HOPPER, "--out", tmp_path / "x")
    assert "skrl: expected layers net_container.0" in line and "net.0.weight" in line


def test_what_the_optimizer_says_is_taken():
    agent = import_agent(FOLDER / "skrl_separate.pt", HOPPER, trajectories=2)
    assert (agent.settings.policy_lr, agent.settings.adam_eps) == (1e-3, 1e-8)
    assert "its optimizer had last" in agent.origin["notes"]["settings"]
    agent = import_agent(FOLDER / "rl_games_shared.pth", HOPPER, trajectories=2)
    assert agent.settings == agent.algorithm.make_settings({})
    assert "the file has none" in agent.origin["notes"]["settings"]
