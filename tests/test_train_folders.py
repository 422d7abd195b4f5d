"""A run's folder: moved, with another's table in it, resumed with a preset named."""

import dataclasses
import json

import numpy as np
import pytest

from conftest import small_config
from pgcore.base.errors import CheckpointError
from pgcore.cli import main
from pgcore.training.command_line import _parse, without_effect
from pgcore.training.presets import preset_config
from pgcore.training.run import Run
from pgcore.training.trainer import Trainer
from test_train import assert_same_run, run_to_end


def test_a_table_of_another_program_is_not_gone_on_with(tmp_path):
    config = small_config(iterations=2)
    run_to_end(tmp_path, config)
    (tmp_path / "metrics.csv").write_text("hello\n")
    with pytest.raises(ValueError, match=r"expected the columns of a run in .*metrics\.csv"):
        run_to_end(tmp_path, dataclasses.replace(config, iterations=3), resume=True)
    assert (tmp_path / "metrics.csv").read_text() == "hello\n"


def test_numbers_of_numpy_are_numbers(tmp_path):
    plain = small_config(iterations=1)
    numpy = {"iterations": np.int64(1), "gamma": np.float64(plain.gamma), "hidden": (np.int32(8),)}
    run_to_end(tmp_path / "a", dataclasses.replace(plain, hidden=(8,)))
    run_to_end(tmp_path / "b", dataclasses.replace(plain, **numpy))
    assert_same_run(tmp_path / "a", tmp_path / "b")
    a, b = ((tmp_path / name / "config.json").read_text() for name in "ab")
    assert a == b


def test_a_run_that_is_moved_away_while_it_trains_is_said(tmp_path):
    config = small_config(iterations=4, keep=())
    with Run(tmp_path / "run", config) as run:
        records = run.iterations()
        next(records)
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(FileNotFoundError, match="was moved or removed; resume it where it is"):
            list(records)
    run_to_end(tmp_path / "moved", config, resume=True)
    run_to_end(tmp_path / "whole", config)
    assert_same_run(tmp_path / "whole", tmp_path / "moved")
    with pytest.raises(TypeError, match="resume: expected True or False, got 'yes'"):
        Run(tmp_path / "whole", config, resume="yes")


def test_a_preset_that_is_named_on_resume_is_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    few = ["--iterations", "1", "--pairs", "64", "--minibatches", "2", "--out", "~/run"]
    main(["train", *few, "--preset", "default"])
    assert (tmp_path / "run" / "config.json").is_file()
    same = ["train", "--resume", "--out=~/run", "--pairs", "64", "--minibatches", "2"]
    main([*same, "--preset", "default"])  # its iterations are the run's
    with pytest.raises(SystemExit):
        main([*same, "--preset", "companion"])
    assert "holds a run with other settings (" in capsys.readouterr().err


def test_a_run_without_its_latest_checkpoint_goes_on_from_the_last_kept(tmp_path):
    """To the same end; without any it is refused, instead of being trained again in silence."""
    config = small_config(iterations=4, keep=(0, 2), save_every=1)
    run_to_end(tmp_path / "whole", config)
    run_to_end(tmp_path / "cut", config)
    kept = tmp_path / "cut" / "checkpoints"
    (kept / "latest.safetensors").unlink()
    with Run(tmp_path / "cut", config, resume=True) as run:
        assert run.trainer.iteration == int(sorted(kept.glob("0*"))[-1].stem) >= 2
        list(run.iterations())
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    for path in kept.iterdir():
        path.unlink()
    before = (tmp_path / "cut" / "metrics.csv").read_bytes()
    with pytest.raises(CheckpointError, match=r"none is left in .*metrics\.csv has iterations"):
        Run(tmp_path / "cut", config, resume=True)
    with pytest.raises(ValueError, match="already holds a run"):
        Run(tmp_path / "cut", config)
    assert (tmp_path / "cut" / "metrics.csv").read_bytes() == before


def test_options_of_another_algorithm_are_named(tmp_path, capsys):
    small = ["--iterations", "1", "--pairs", "64", "--hidden", "4", "--out"]
    options = ["--clip", "0.3", "--target-kl=0.1", "--cg-steps", "3"]
    main(["train", "--algorithm", "trpo", *options, *small, str(tmp_path / "trpo")])
    assert "--clip, --target-kl: without effect with these settings" in capsys.readouterr().err
    main(["train", "--algorithm", "trpo", "--cg-steps", "3", *small, str(tmp_path / "other")])
    assert "without effect" not in capsys.readouterr().err


CHANGES = {
    "policy_lr": 0.1, "adam_eps": 0.1, "policy_epochs": 1, "minibatches": 2, "clip": 0.01,
    "entropy": 0.5, "max_grad_norm": 0.01, "target_kl": 1e-9, "kl": 1.0, "fisher_fraction": 0.5,
    "cg_steps": 1, "cg_damping": 10.0, "backtracks": 0, "accept_ratio": 1.0, "std_map": "softplus",
    "obs_clip": 0.1, "reward_clip": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("algorithm", ["ppo", "trpo", "a2c"])
def test_what_is_said_to_have_no_effect_has_none_and_the_rest_has_some(algorithm):
    """The value network takes some settings of the policy's, of which TRPO and A2C have none."""
    off = {"normalize_obs": False, "normalize_rewards": False, "normalize_advantages": "batch"}
    plain = small_config(algorithm=algorithm, trials=1, iterations=2, **off)
    expected = state_at_end(plain)
    idle = set()
    for name, value in CHANGES.items():
        config = dataclasses.replace(plain, **{name: value})
        if without_effect(config, [f"--{name.replace('_', '-')}", str(value)]):
            idle.add(name)
        same = all((expected[k] == v).all() for k, v in state_at_end(config).items())
        # the line search may accept at once, whatever it would do else
        assert same == (name in idle) or name in ("backtracks", "accept_ratio"), name
    assert {"std_map", "obs_clip", "reward_clip"} < idle
    own = {"value_minibatches": 4, "value_max_grad_norm": 1.0}
    named = without_effect(dataclasses.replace(plain, **own), ["--minibatches", "--max-grad-norm"])
    assert named == {"ppo": [], "trpo": ["--minibatches", "--max-grad-norm"],
                     "a2c": ["--minibatches"]}[algorithm]  # fmt: skip


def state_at_end(config):
    trainer = Trainer(config, 1)
    for _ in trainer.run():
        pass
    return trainer.state()


@pytest.mark.parametrize(
    ("name", "value"), [("trials", 1), ("pairs", 64), ("lam", 0.5), ("iterations", 8), ("seed", 1)]
)
def test_a_run_does_not_go_on_with_settings_that_were_changed_by_hand(tmp_path, name, value):
    with Run(tmp_path, small_config(anneal=True)) as run:
        next(run.iterations())
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(CheckpointError, match=f"made with other settings .*{name}: "):
        Run(tmp_path, small_config(anneal=True, **{name: value}), resume=True)


def test_a_run_that_does_not_anneal_may_be_made_longer_by_hand(tmp_path):
    with Run(tmp_path, small_config(anneal=False)) as run:
        list(run.iterations())
    longer = small_config(anneal=False, iterations=6)
    (tmp_path / "config.json").write_text(json.dumps(longer.to_dict()))
    with Run(tmp_path, longer, resume=True) as run:
        assert len(list(run.iterations())) == 2


def test_iterations_that_are_over_cannot_be_kept_any_more(tmp_path):
    config = small_config(trials=1, keep=(0, 2))
    run_to_end(tmp_path, config, stop_after=3)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ValueError, match="keep: the run is at iteration 3, and has not kept 1"):
        Run(tmp_path, dataclasses.replace(config, keep=(0, 1, 4)), resume=True)
    assert (tmp_path / "config.json").read_bytes() == before
    run_to_end(tmp_path, dataclasses.replace(config, keep=(0, 2, 4)), resume=True)


def test_the_last_of_an_options_values_counts_for_its_preset_too():
    config, _, preset = _parse(["--task", "Hopper-v2", "--task=Humanoid-v2", "--out", "x"])
    paper = preset_config("paper", "Humanoid-v2", "ppo")
    assert (config.task, config.policy_lr, preset) == ("Humanoid-v2", paper.policy_lr, "paper")
    assert paper.policy_lr != preset_config("paper", "Hopper-v2", "ppo").policy_lr
