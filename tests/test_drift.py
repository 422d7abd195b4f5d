"""`experiments/drift.py`: its plan, its returns, its statistics, its page."""

import dataclasses
import functools
import json
import math
import signal
import sys
import threading
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy import stats

import pgcore
from conftest import ROOT, make_policy
from pgcore.training.run import checkpoint_path

sys.path.insert(0, str(ROOT / "experiments"))
import drift
import drift_environments
import drift_report
import drift_worker

sys.path.remove(str(ROOT / "experiments"))


def test_versions_that_agents_cannot_act_in_are_named():
    with pytest.raises(ValueError, match="cannot act in Humanoid-v5: its observations differ"):
        drift.rules_of("Humanoid-v2", "v5")
    with pytest.raises(ValueError, match="there is no HalfCheetah-v2"):
        drift.rules_of("HalfCheetah-v4", "v2")
    assert drift.rules_of("Humanoid-v4", "v2")["impact_cost"] == [5e-7, 10.0]
    assert drift.rules_of("Humanoid-v2", "v4")["impact_cost"] is None
    rules = {v: drift.rules_of("Hopper-v2", v) for v in drift_environments.RULES}
    contacts = {
        (v, engine): drift.contacts_of("Hopper-v2", rules[v], engine)
        for v in drift_environments.RULES
        for engine in ("3.4.0", "3.5.0", "4.0.0")
    }
    larger = {key for key, rule in contacts.items() if rule == "larger"}
    assert larger == {("v2", "3.5.0"), ("v2", "4.0.0")} | {
        (v, "3.4.0") for v in drift_environments.RULES
    }
    assert drift.contacts_of("Walker2d-v2", rules["v2"], "4.0.0") == "no margins"


def made(name, _):
    """Environments as if this one were all versions but for one that pip cannot install."""
    if name == "2.3.7":
        raise RuntimeError("pip failed: no wheel")
    return Path(sys.executable)


@pytest.fixture(scope="module", autouse=True)
def _versions_once():
    """Of one Python, whose versions do not change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "versions_of", functools.cache(drift.versions_of))
        yield


@pytest.fixture(scope="module")
def measured(runs, tmp_path_factory):
    """The result for two trials under this environment, which stands for two versions."""
    folder = tmp_path_factory.mktemp("drift")
    command = drift.Command(
        sources=(f"{runs[0]}@2",), trials=2, trajectories=40, processes=2, work=folder,
        environments=("3.4.0", "2.3.7"), out=folder / "result",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "made_environment", made)
        drift.main(command)
    return command, json.loads((folder / "result.json").read_text())


def test_returns_are_distributed_as_pgcores(runs, measured):
    _, data = measured
    agent = pgcore.load_checkpoint(checkpoint_path(runs[0], 2)).agent()
    one = drift_report.reference_of(data["agents"][0], data)
    assert one["rules"] == "v2" and one["environment"] == drift.REFERENCE
    (more,) = (e for e in data["agents"][0]["conditions"] if e["other_seeds"])
    for trial in range(2):
        returns = np.array(one["returns"][trial] + more["returns"][trial])
        wanted = agent.select(trial).evaluate(8000, seed=3).returns
        error = math.hypot(*(x.std(ddof=1) / math.sqrt(len(x)) for x in (returns, wanted)))
        # beyond four errors once in 16,000 pairs of samples
        assert abs(returns.mean() - wanted.mean()) < 4 * error
        assert stats.ks_2samp(returns, wanted).pvalue > 1e-4


def test_what_was_measured_and_what_was_left_out(measured):
    command, data = measured
    assert data["left_out"] == ["2.3.7: pip failed: no wheel"]
    assert data["environments"]["4.0.0"] == drift_worker.versions()
    (agent,) = data["agents"]
    assert (agent["task"], agent["label"], agent["trials"]) == ("Hopper-v2", "ppo", [0, 1])
    found = {
        (e["environment"], e["rules"], e["other_seeds"]): np.array(e["returns"])
        for e in agent["conditions"]
    }
    assert len(found) == 7 and all(r.shape == (2, 40) for r in found.values())
    # the same starts and noise in two environments of the same versions; others elsewhere
    np.testing.assert_array_equal(found["3.4.0", "v4", False], found["4.0.0", "v4", False])
    assert not (found["4.0.0", "v2", True] == found["4.0.0", "v2", False]).any()
    assert not (found["4.0.0", "v2", False][0] == found["4.0.0", "v2", False][1]).any()
    text = drift_report.tables(data)
    installed = f"Gymnasium 1.4.0 and 1.4.0 with MuJoCo {mujoco.__version__}"
    assert f"{installed}: 240 of 240 returns are equal" in text
    assert "2 trials, fewer than 6" in text and "left out: 2.3.7" in text
    assert (command.work / "result.png").is_file()


def test_only_what_is_missing_is_computed(measured, monkeypatch):
    command, data = measured
    monkeypatch.setattr(drift, "made_environment", made)
    cells = command.work / "cells"
    stamps = {f: f.stat().st_mtime_ns for f in sorted(cells.iterdir())}
    assert len(stamps) == 14
    lost = next(iter(stamps))
    lost.unlink()
    drift.main(command)
    assert json.loads((command.work / "result.json").read_text()) == data
    assert {f for f in cells.iterdir() if f.stat().st_mtime_ns != stamps.pop(f)} == {lost}
    assert not stamps


def test_agents_are_added_to_a_result(measured, runs, tmp_path, monkeypatch):
    command, data = measured
    monkeypatch.setattr(drift, "made_environment", made)
    out = tmp_path / "both"
    more = dataclasses.replace(command, sources=(f"other={runs[0]}@2",), out=out, add=True)
    with pytest.raises(FileNotFoundError, match=r"both\.json"):
        drift.main(more)
    out.with_suffix(".json").write_text(json.dumps(data))
    for changes, text in (
        ({"seed": 1}, r"add: expected the seed of .*both\.json, 0, got 1"),
        ({"trajectories": 2}, "add: expected the trajectories of .*, 40, got 2"),
        ({"environments": ("4.0.0",)}, "add: expected the environments of"),
    ):
        with pytest.raises(ValueError, match=text):
            drift.main(dataclasses.replace(more, **changes))
    for _ in range(2):  # an agent that is there is replaced
        drift.main(more)
        both = json.loads(out.with_suffix(".json").read_text())
        first, second = both["agents"]
        assert first == data["agents"][0] and second == first | {"label": "other"}
        assert both["left_out"] == data["left_out"]


def test_an_interruption_leaves_whole_cells_and_no_worker(measured, monkeypatch, tmp_path):
    command, _ = measured
    monkeypatch.setattr(drift, "made_environment", made)
    updates = []

    class Interrupting(drift.tqdm):
        def update(self, n=1):
            updates.append(n)
            if len(updates) == 1:
                # as Ctrl-C: it ends what the main thread waits for
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            return super().update(n)

    monkeypatch.setattr(drift, "tqdm", Interrupting)
    more = dataclasses.replace(command, work=tmp_path, trajectories=100, out=tmp_path / "more")
    with pytest.raises(KeyboardInterrupt):
        drift.main(more)
    left = list((tmp_path / "cells").iterdir())
    assert 1 <= len(left) < 8  # two workers of four cells, had they gone on
    for file in left:
        assert file.name.startswith(".") or len(json.loads(file.read_text())["returns"]) == 100
    assert not more.out.with_suffix(".json").exists()


def test_a_cell_that_fails_is_named_and_the_others_go_on(measured):
    command, _ = measured
    (found,) = drift.subjects(command.sources, 2, command.work / "agents")
    broken = found | {"files": ["/nowhere/agent.npz", found["files"][1]]}
    few = dataclasses.replace(command, trajectories=1)
    before = len(list((command.work / "cells").iterdir()))
    made = {drift.REFERENCE: (Path(sys.executable), drift_worker.versions())}
    result = drift.evaluated([broken], few, made)
    assert len(list((command.work / "cells").iterdir())) == before + 4
    assert len(result["left_out"]) == 4 and "No such file" in result["left_out"][0]
    with pytest.raises(ValueError, match="nothing was measured at the reference"):
        drift_report.tables(result)


def test_pip_says_why_a_version_is_missing(tmp_path, monkeypatch):
    def create(path, **_):
        (path / "bin").mkdir(parents=True)
        (path / "bin" / "python").write_text("#!/bin/sh\necho ERROR: no such wheel >&2; exit 1\n")
        (path / "bin" / "python").chmod(0o755)

    monkeypatch.setattr(drift_environments.venv, "create", create)
    with pytest.raises(RuntimeError, match="pip failed: ERROR: no such wheel"):
        drift_environments.made_environment("3.4.0", tmp_path)
    with pytest.raises(RuntimeError, match="the worker does not start"):
        drift_environments.versions_of(tmp_path / "3.4.0" / "bin" / "python")


def test_bad_arguments_come_ahead_of_any_work(runs, tmp_path):
    for changes, text in (
        ({}, "sources: expected"),
        ({"trials": 0}, "trials: expected"),
        ({"environments": ("1.0",)}, "environments: expected one of"),
    ):
        with pytest.raises(ValueError, match=text):
            drift.main(drift.Command(work=tmp_path / "work", **changes))
    assert not (tmp_path / "work").exists()
    agent = pgcore.load_checkpoint(checkpoint_path(runs[0], 0)).agent()
    task = pgcore.make_task("LinearQuadratic-v0")
    other = pgcore.Agent(task, make_policy(task, 1))
    other.save(tmp_path / "agent")
    with pytest.raises(ValueError, match="is no task of Gymnasium's suite"):
        list(drift.subjects((str(tmp_path / "agent"),), 1, tmp_path))
    agent.save(tmp_path / "file")
    (subject,) = drift.subjects((str(tmp_path / "file"),), 1, tmp_path)
    assert subject["iteration"] == 0 and len(subject["files"]) == 1


def test_the_unit_is_the_trial_and_of_one_trial_the_trajectory():
    rng = np.random.default_rng(8)
    base = rng.normal(100.0, 10.0, (8, 30))
    each = rng.normal(5.0, 2.0, 8)
    shifted = base + each[:, None]  # the trajectories of a trial agree on its shift
    middle, low, high = drift_report.shift_of(shifted, base)
    assert middle == pytest.approx(each.mean())
    # Student's t with 7 degrees of freedom: 2.3646
    assert (high - low) / 2 == pytest.approx(2.3646 * each.std(ddof=1) / math.sqrt(8), rel=1e-4)
    assert drift_report.trials_that_shift(shifted, base) == 8
    assert drift_report.correlation(shifted, base) == pytest.approx(1.0)
    noise = rng.normal(0.0, 10.0, (1, 30))
    middle, low, high = drift_report.shift_of(base[:1] + noise, base[:1])
    # 29 degrees of freedom: 2.0452
    assert (high - low) / 2 == pytest.approx(2.0452 * noise.std(ddof=1) / math.sqrt(30), rel=1e-4)
    reversed_order = base[:, ::-1]
    assert abs(drift_report.correlation(reversed_order, base)) < 0.3
    assert math.isnan(drift_report.correlation(np.ones((2, 3)), np.ones((2, 3))))


def test_the_page_has_the_numbers_of_the_result():
    data = json.loads((ROOT / "experiments" / "results" / "drift.json").read_text())
    page = (ROOT / "docs" / "drift.md").read_text()
    begin, end = drift_report.MARKS
    assert page.partition(begin)[2].partition(end)[0] == drift_report.tables(data)


def test_docs_are_written_between_the_marks(tmp_path, measured):
    _, data = measured
    page = tmp_path / "page.md"
    begin, end = drift_report.MARKS
    page.write_text(f"before\n{begin}old\n{end}after\n")
    drift_report.write_docs(page, data)
    assert page.read_text() == f"before\n{begin}{drift_report.tables(data)}{end}after\n"
    page.write_text("no marks\n")
    with pytest.raises(ValueError, match="expected the lines"):
        drift_report.write_docs(page, data)
