"""What happens to a run while it is away: other models, other rules, lost rows, failing rewards."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from gymnasium.envs.classic_control import PendulumEnv
from gymnasium.envs.registration import EnvSpec, registry

import pgcore
from conftest import ball_spec, drop_file, small_config
from pgcore.base.errors import CheckpointError
from pgcore.cli import main
from pgcore.training.block import Block
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.records import read_metrics
from pgcore.training.run import Run, checkpoint_path, kept_iterations


def made(run, config, count, **options):
    """A run that has made some iterations and was then left."""
    with Run(run, config, **options) as training:
        rest = training.iterations()
        for _ in range(count):
            next(rest)
        rest.close()
        training.save()


def test_a_task_file_that_says_something_else_by_now_is_refused(tmp_path):
    config = small_config(task=drop_file(tmp_path, 1.0), trials=1)
    made(tmp_path / "run", config, 2)
    kept = checkpoint_path(tmp_path / "run", 2)
    before = load_checkpoint(kept).agent().evaluate(100).returns.mean()
    drop_file(tmp_path, 5.0)
    for call in (
        lambda: load_checkpoint(kept).agent(),
        lambda: Run(tmp_path / "run", config, resume=True),
        lambda: pgcore.studies.gradient_quality(tmp_path / "run", tmp_path / "study"),
    ):
        with pytest.raises(CheckpointError, match=r"another definition than .*drop\.toml is now"):
            call()
    drop_file(tmp_path, 1.0)
    assert load_checkpoint(kept).agent().evaluate(100).returns.mean() == before
    with Run(tmp_path / "run", config, resume=True) as run:
        assert len(list(run.iterations())) == 2


def test_a_relative_task_file_is_found_above_the_run(tmp_path, monkeypatch, capsys):
    """From any folder; what is beside the command comes first, and is compared."""
    drop_file(tmp_path, 1.0)
    config = small_config(task="drop.toml", trials=1)
    monkeypatch.chdir(tmp_path)
    made("runs/whole", config, 4)
    made("runs/cut", config, 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    main(["train", "--resume", "--out", "../runs/cut"])
    capsys.readouterr()
    whole, cut = (checkpoint_path(tmp_path / "runs" / name, 4) for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    few = {"pairs": (64,), "estimates": 2, "true_pairs": 64, "iterations": (4,)}
    pgcore.studies.gradient_quality("../runs/cut", "study", **few)
    drop_file(elsewhere, 5.0)
    with pytest.raises(CheckpointError, match=r"another definition than drop\.toml is now"):
        load_checkpoint(cut).agent()
    (elsewhere / "drop.toml").unlink()
    (tmp_path / "drop.toml").unlink()
    with pytest.raises(ValueError, match=r"no task file 'drop\.toml', looked for here and, for a"):
        load_checkpoint(cut).agent()


def test_a_run_does_not_go_on_with_another_model(tmp_path):
    config = small_config(task=ball_spec(tmp_path, gear="1"), trials=1)
    made(tmp_path / "run", config, 1)
    written = (tmp_path / "run" / "config.json").read_bytes()
    ball_spec(tmp_path, gear="50")
    with pytest.raises(CheckpointError, match="trained on another model than Ball is now"):
        Run(tmp_path / "run", dataclasses.replace(config, iterations=9), resume=True)
    assert (tmp_path / "run" / "config.json").read_bytes() == written


def test_a_mesh_that_changes_within_a_second_is_another_model(tmp_path):
    """Also to MuJoCo, which keeps meshes that it has read, and knows their ages in seconds."""
    spec = ball_spec(tmp_path)
    text = Path(spec.xml).read_text()
    text = text.replace("<worldbody>", "<asset><mesh file='m.obj'/></asset><worldbody>")
    text = text.replace('type="sphere" size="0.1"', 'type="mesh" mesh="m"')
    Path(spec.xml).write_text(text)
    hashes = []
    while len(hashes) < 3 or hashes[-1][0] != hashes[-2][0]:  # two within one second
        size = 1 + len(hashes)
        corners = ((0, 0, 0), (size, 0, 0), (0, size, 0), (0, 0, size))
        points = "".join(f"v {x} {y} {z}\n" for x, y, z in corners)
        (tmp_path / "m.obj").write_text(points + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n")
        age = int((tmp_path / "m.obj").stat().st_mtime)
        hashes.append((age, pgcore.make_task(spec).model_hash()))
    assert len({found for _, found in hashes}) == len(hashes)


def test_rows_keep_their_iterations_where_earlier_ones_are_gone(tmp_path):
    config = small_config(trials=2, iterations=6)
    made(tmp_path / "whole", config, 6)
    made(tmp_path / "run", config, 3)
    (tmp_path / "run" / "metrics.csv").unlink()
    with Run(tmp_path / "run", config, resume=True) as run:
        list(run.iterations())
    whole, found = read_metrics(tmp_path / "whole"), read_metrics(tmp_path / "run")
    np.testing.assert_array_equal(found["iteration"], whole["iteration"])
    assert np.isnan(found["return_mean"][:3]).all()
    for name in set(whole) - {"iteration", "trial"}:
        np.testing.assert_array_equal(found[name][3:], whole[name][3:], err_msg=name)


def test_a_refused_resume_changes_nothing(tmp_path):
    config = small_config(iterations=6)
    made(tmp_path / "run", config, 4)
    written = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(ValueError, match="the run has made 4 already"):
        Run(tmp_path / "run", dataclasses.replace(config, iterations=2), resume=True)
    assert (tmp_path / "run" / "config.json").read_bytes() == written
    made(tmp_path / "run", config, 2, resume=True)


@pytest.mark.parametrize("change", [{"iterations": 3}, {"keep": (3,)}])
def test_what_is_to_be_kept_by_now_is_kept(tmp_path, change):
    """A run that ends, or is asked to keep, where it stands."""
    config = small_config(iterations=6, keep=(0,))
    made(tmp_path / "run", config, 3)
    assert kept_iterations(tmp_path / "run") == [0]
    with Run(tmp_path / "run", dataclasses.replace(config, **change), resume=True):
        pass
    assert kept_iterations(tmp_path / "run") == [0, 3]


def test_a_file_beside_the_kept_checkpoints_is_none_of_them(tmp_path):
    made(tmp_path / "run", small_config(keep=(0, 2)), 3)
    folder = tmp_path / "run" / "checkpoints"
    shutil.copy(folder / "000002.safetensors", folder / "000002 (copy).safetensors")
    assert kept_iterations(tmp_path / "run") == [0, 2]
    (folder / "latest.safetensors").unlink()
    with Run(tmp_path / "run", small_config(keep=(0, 2)), resume=True) as run:
        assert run.trainer.iteration == 2


def test_an_iteration_that_fails_loses_none_before_it(tmp_path, monkeypatch):
    config = small_config(trials=1, iterations=9, save_every=100, keep=(0,))
    update, calls = Block.update, []

    def failing(self, *arguments):
        calls.append(None)
        if len(calls) == 6:
            raise ArithmeticError("on purpose")
        return update(self, *arguments)

    monkeypatch.setattr(Block, "update", failing)
    with (
        pytest.raises(ArithmeticError, match="on purpose"),
        Run(tmp_path / "run", config) as run,
    ):
        list(run.iterations())
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "latest.safetensors").iteration == 5
    made(tmp_path / "run", config, 4, resume=True)
    made(tmp_path / "whole", config, 9)
    tables = [(tmp_path / name / "metrics.csv").read_bytes() for name in ("run", "whole")]
    assert tables[0] == tables[1]


def test_a_start_begun_anew_leaves_no_curves_of_the_first(tmp_path):
    config = small_config(trials=1, keep=(0,), save_every=100)
    with Run(tmp_path / "run", config) as run:
        next(run.iterations())
    first = set((tmp_path / "run" / "tensorboard").iterdir())
    (tmp_path / "run" / "checkpoints" / "latest.safetensors").unlink()
    (tmp_path / "run" / "metrics.csv").unlink()
    made(tmp_path / "run", dataclasses.replace(config, seed=1), 1)
    assert first and not first & set((tmp_path / "run" / "tensorboard").iterdir())


def test_an_agent_that_was_paid_nothing_can_be_studied(tmp_path):
    """Rewards of 0 have no scale: they are divided by 1."""
    spec = dataclasses.replace(
        ball_spec(tmp_path), reward=(pgcore.Term.of("coordinate_velocity", weight=0.0),)
    )
    made(tmp_path / "run", small_config(task=spec, normalize_rewards=True), 3)
    assert (load_checkpoint(checkpoint_path(tmp_path / "run", 2)).agent().reward_std == 1).all()
    few = {"trials": 1, "pairs": (64,), "estimates": 2, "true_pairs": 128, "true_step_pairs": 128}
    data = pgcore.studies.gradient_quality(tmp_path / "run", tmp_path / "study", **few)
    assert data["gram"].notnull().all()


def test_environments_that_stay_open_are_closed_with_the_run(tmp_path, monkeypatch):
    opened = []

    class Counted(PendulumEnv):
        def __init__(self):
            super().__init__()
            self.closed = False
            opened.append(self)

        def close(self):
            self.closed = True

    monkeypatch.setitem(
        registry, "Counted-v0", EnvSpec("Counted-v0", Counted, max_episode_steps=200)
    )
    config = small_config(task="gym:Counted-v0", trials=2, persist=True)
    with Run(tmp_path / "run", config) as run:
        for _ in zip(range(2), run.iterations(), strict=False):
            assert sum(not env.closed for env in opened) >= 2  # one of each trial goes on
    assert all(env.closed for env in opened)


@pytest.mark.parametrize(
    "changes",
    [
        {"frame_skip": [2]},
        {"time_limit": [2]},
        {"contact_margins": ["sum"]},
        {"frame_skip": 0},
    ],
)
def test_fields_of_a_task_are_checked_when_it_is_defined(tmp_path, changes):
    (name,) = changes
    with pytest.raises((ValueError, TypeError), match=f"^{name}: expected"):
        ball_spec(tmp_path, **changes)
    values = ball_spec(tmp_path).to_dict() | changes
    with pytest.raises((ValueError, TypeError), match=f"^{name}: expected"):
        TrainConfig.from_dict({"task": json.loads(json.dumps(values))})


def test_options_may_be_lists(tmp_path):
    listed = ball_spec(tmp_path, gymnasium_options=[["a", [1, 2]]])
    assert listed == ball_spec(tmp_path, gymnasium_options=(("a", (1, 2)),))
    assert hash(listed) and pgcore.make_task(listed).id == "Ball"


@pytest.mark.parametrize("text", ["raise KeyError('x')", "def broken("])
def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch, text):
    Path(tmp_path / "no_environments.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"^task: gym:no_environments:X-v0: no_environments raise"):
        pgcore.make_task("gym:no_environments:X-v0")
