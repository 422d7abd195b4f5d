"""Files from outside: nothing in them is executed, damaged ones give a line; and our exporters."""

import base64
import contextlib
import io
import json
import pickle
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import foreign
import pgcore
from foreign import Hostile
from importing import (
    HOPPER,
    LAYOUTS,
    read_sb3,
    refused,
    rewritten,
)
from pgcore.base.errors import CheckpointError
from pgcore.cli import main
from pgcore.importers.export_snippet import exporter
from pgcore.importers.parts import Options
from pgcore.importers.table import READERS, import_agent, read_parts


def poisoned(value, marker):
    """A value with a hostile object beside what is read from it."""
    return {**value, "extra": Hostile(marker)} if isinstance(value, dict) else Hostile(marker)


def hostile_files(name, folder, marker, sb3):
    """Every file that a library's reader opens, each hostile in turn, as arguments."""
    if name == "sb3":
        for member in ("policy.pth", "policy.optimizer.pth"):
            raw = io.BytesIO()
            torch.save(Hostile(marker), raw)
            out = folder / f"{member}.zip"
            yield [rewritten(sb3.folder / "ppo.zip", out, **{member: raw.getvalue()})]
        for content in (Hostile(marker), {"obs_rms": Hostile(marker)}):
            path = folder / "vecnormalize.pkl"
            path.write_bytes(pickle.dumps(content))
            yield [sb3.folder / "ppo.zip", "--normalizer", path]
        return
    if name == "rllib":
        for part in ("learner_group", "env_runner"):
            root, _, _ = foreign.rllib(folder / part)
            (file,) = (root / part).rglob("*.pkl")
            file.write_bytes(pickle.dumps({"x": Hostile(marker)}))
            yield [root]
        return
    makers = {
        "cleanrl": foreign.cleanrl,
        "spinning_up": foreign.spinning_up,
        "tianshou": lambda p: foreign.tianshou(p, rms=False),
        "torchrl": foreign.torchrl,
        "skrl": foreign.skrl,
        "rl_games": foreign.rl_games,
        "rsl_rl": foreign.rsl_rl,
    }
    path = makers[name](folder / "good.pt")[0]
    if name != "spinning_up":
        content = torch.load(path, weights_only=True)
        yield [foreign.save(folder / "bad.pt", poisoned(content, marker))]
        legacy = folder / "legacy.pt"
        torch.save(poisoned(content, marker), legacy, _use_new_zipfile_serialization=False)
        yield [legacy]
    yield [foreign.save(folder / "worse.pt", Hostile(marker)), "--library", name]
    if name in ("cleanrl", "tianshou"):
        (folder / "rms.pkl").write_bytes(pickle.dumps(Hostile(marker)))
        yield [path, "--normalizer", folder / "rms.pkl"]


@pytest.mark.parametrize("name", READERS)
def test_nothing_in_a_file_is_executed(name, sb3, tmp_path, capsys):
    marker = tmp_path / "executed"
    out = ["--task", HOPPER, "--out", tmp_path / "x.safetensors"]
    count = 0
    for arguments in hostile_files(name, tmp_path, marker, sb3):
        line = refused(capsys, *arguments, *out)
        assert "nothing in it was executed" in line, line
        assert "system" in line, line
        assert not marker.exists()
        count += 1
    assert count >= 1
    pickle.loads(pickle.dumps(Hostile(marker)))  # it does bite where it is trusted
    assert marker.exists()


def test_damaged_files_give_one_line(sb3, tmp_path):
    """Cut, or with a few bytes changed: an error of ours, or an agent; nothing else."""
    files = {"a.zip": sb3.folder / "ppo.zip", "n.pkl": sb3.folder / "ppo.pkl"}
    for i, (name, (make, *_)) in enumerate(LAYOUTS.items()):
        (tmp_path / str(i)).mkdir()
        path = make(tmp_path / str(i))[0]
        files[name] = path if path.is_file() else next(path.rglob("module_state.pkl"))
    rng = np.random.default_rng(0)
    (tmp_path / "damaged").mkdir()
    for name, path in files.items():
        content = path.read_bytes()
        damaged = tmp_path / "damaged" / path.name
        for trial in range(12):
            raw = bytearray(content[: len(content) * (trial % 4 + 1) // 4])
            for at in rng.integers(0, len(raw), 8 * (trial // 4)):
                raw[at] = rng.integers(256)
            damaged.write_bytes(raw)
            with contextlib.suppress(CheckpointError):
                if name == "n.pkl":
                    read_parts(files["a.zip"], Options(damaged))
                else:
                    read_parts(damaged, Options())
    content = {"actor_state_dict": {"obs_normalizer.x": torch.ones(1)}, "critic_state_dict": None}
    with pytest.raises(CheckpointError):
        read_parts(foreign.save(tmp_path / "odd.pt", content), Options())


def test_what_is_never_opened_does_no_harm(sb3, tmp_path):
    """The serialised members of `data`, and pytorch_variables.pth."""
    marker = tmp_path / "executed"
    data = json.loads(zipfile.ZipFile(sb3.folder / "ppo.zip").read("data"))
    bite = base64.b64encode(pickle.dumps(Hostile(marker))).decode()
    for value in data.values():
        if isinstance(value, dict) and ":serialized:" in value:
            value[":serialized:"] = bite
    raw = io.BytesIO()
    torch.save(Hostile(marker), raw)
    members = {"data": json.dumps(data), "pytorch_variables.pth": raw.getvalue()}
    path = rewritten(sb3.folder / "ppo.zip", tmp_path / "bad.zip", **members)
    agent = import_agent(path, HOPPER, trajectories=2)
    assert agent.settings.clip == 0.2 and not marker.exists()


def test_arrays_of_objects_and_forged_arrays_are_refused(tmp_path, capsys):
    """NumPy would take flags of a dtype from a pickle, and so bytes for pointers."""

    class Forged:
        def __reduce__(self):
            kind = np.dtype("O")
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (
                1, (1,), kind, False, b"\x01" * 8
            )  # fmt: skip

    path, _, _ = foreign.cleanrl(tmp_path / "a.cleanrl_model")
    for content in (np.array([{}], dtype=object), Forged()):
        (tmp_path / "rms.pkl").write_bytes(pickle.dumps({"mean": content, "var": content}))
        line = refused(
            capsys, path, "--normalizer", tmp_path / "rms.pkl", "--task", HOPPER, "--out", "x"
        )
        assert "only plain numbers" in line
    np.savez(tmp_path / "rms.npz", mean=np.array([Hostile(tmp_path / "m")], dtype=object))
    refused(capsys, path, "--normalizer", tmp_path / "rms.npz", "--task", HOPPER, "--out", "x")
    assert not (tmp_path / "m").exists()


def run_exporter(library, folder, monkeypatch, capsys, **names):
    """What `pgcore import --exporter` prints, run as in the user's environment."""
    main(["import", "--exporter", library])
    text = capsys.readouterr().out
    monkeypatch.chdir(folder)
    exec(compile(text, "exporter", "exec"), dict(names))
    return folder / "agent.npz"


def test_the_exporter_of_sb3(sb3, tmp_path, monkeypatch, capsys):
    task, model, vec = sb3.ppo
    file = run_exporter("sb3", tmp_path, monkeypatch, capsys, model=model, vec=vec)
    whole = import_agent(file, task, trajectories=2)
    beside = read_sb3(sb3, "ppo", reference=file)
    for agent in (whole, beside):
        assert agent.origin["check"]["status"] == "verified"
        assert agent.origin["check"]["by"] == "sb3, by the exporter"
    np.testing.assert_array_equal(whole.policy.flat, beside.policy.flat)
    np.testing.assert_array_equal(whole.normalizer.m2, beside.normalizer.m2)
    assert whole.reward_std == pytest.approx(beside.reward_std, rel=1e-14)
    assert (whole.algorithm.name, whole.settings) == ("ppo", beside.settings)
    assert (whole.iteration, whole.judgement) == (beside.iteration, beside.judgement)
    for name in ("a2c", "trpo"):  # no statistics of the other's training
        _, other, _ = getattr(sb3, name)
        names = {"model": other, "vec": None}
        plain = import_agent(run_exporter("sb3", tmp_path, monkeypatch, capsys, **names), task)
        assert plain.algorithm.name == name and plain.normalizer is None
        assert plain.settings == read_sb3(sb3, name).settings
        assert plain.origin["check"]["status"] == "verified"
    file = run_exporter("sb3", tmp_path, monkeypatch, capsys, model=model, vec=vec)
    line = refused(
        capsys, sb3.folder / "ppo.zip", "--reference", file, "--task", task, "--out", "x"
    )
    assert "differ" in line, "without its statistics"


def test_the_exporter_of_cleanrl(tmp_path, monkeypatch, capsys):
    _, actor, critic = foreign.cleanrl(tmp_path / "a.cleanrl_model")
    agent = torch.nn.Module()
    agent.actor_mean, agent.critic = actor, critic
    agent.actor_logstd = torch.nn.Parameter(torch.full((1, 3), -0.5))
    rms = SimpleNamespace(mean=np.ones(11), var=np.full(11, 4.0))
    inner = SimpleNamespace(return_rms=SimpleNamespace(var=25.0))
    env = SimpleNamespace(env=SimpleNamespace(obs_rms=rms, env=inner))
    envs = SimpleNamespace(envs=[env])
    file = run_exporter("cleanrl", tmp_path, monkeypatch, capsys, agent=agent, envs=envs)
    made = import_agent(file, HOPPER, trajectories=2)
    assert made.origin["check"]["status"] == "verified"
    assert made.reward_std == pytest.approx([5.0]) and "reward_scale" not in made.origin["notes"]


def test_the_exporter_of_spinning_up(tmp_path, monkeypatch, capsys):
    _, actor, critic = foreign.spinning_up(tmp_path / "model.pt")
    ac = torch.nn.Module()
    ac.pi, ac.v = torch.nn.Module(), torch.nn.Module()
    ac.pi.mu_net, ac.v.v_net = actor, critic
    ac.pi.log_std = torch.nn.Parameter(torch.full((3,), -0.5))
    ac.v.forward = lambda x: critic(x).squeeze(-1)
    file = run_exporter("spinning_up", tmp_path, monkeypatch, capsys, ac=ac)
    made = import_agent(file, HOPPER, trajectories=2)
    assert made.policy.activation == "relu"
    assert made.origin["check"]["status"] == "verified"


def test_every_library_has_an_exporter():
    for name in READERS:
        compile(exporter(name, list(READERS)), name, "exec")
    with pytest.raises(ValueError, match="--exporter: expected one of sb3"):
        exporter("other", list(READERS))


def test_frozen_statistics(tmp_path):
    rng = np.random.default_rng(0)
    mean, scale = rng.standard_normal(11), 10 ** rng.uniform(-3, 3, 11)
    frozen = pgcore.Normalizer.frozen(mean, scale, 5.0)
    obs = mean + 3 * scale * rng.standard_normal((5000, 11))
    expected = np.clip((obs - mean) / scale, -5, 5).astype(np.float32)
    np.testing.assert_array_equal(frozen.inputs(obs), expected)
    assert frozen.count == [2.0]
    scale[4] = 1e-9
    with pytest.raises(ValueError, match=r"scale: .* >= 1e-8, got 1e-09 in dimension 4"):
        pgcore.Normalizer.frozen(mean, scale)
    with pytest.raises(ValueError, match=r"scale: expected \[1, 11\]"):
        pgcore.Normalizer.frozen(mean, scale[:3])


@pytest.mark.parametrize("name", ["agent.zip", "agent.pt", "agent.pkl"])
@pytest.mark.parametrize("content", [b"junk\n", b"hello, world\n", b"{}", b"\x00" * 4])
def test_a_file_of_something_else_is_said_in_words(tmp_path, name, content):
    """The unpickler's own error was a number."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises((CheckpointError, ValueError)) as caught:
        import_agent(tmp_path / name, "Hopper-v4")
    assert not re.search(r": '?\d*'?$", str(caught.value)), caught.value
