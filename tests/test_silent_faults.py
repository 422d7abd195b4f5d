"""Agents that are not what they seem: modules, files and streams that say less than they do."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

import pgcore
from conftest import small_config
from pgcore.base.errors import CheckpointError
from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import activation_named
from pgcore.importers.table import import_agent
from pgcore.policies.head import STD_MAPS
from pgcore.training.divergence import kept_state
from pgcore.training.run import Run
from pgcore.training.start import has_iterations, newest_checkpoint


class Tanh3(nn.Module):
    """Layers as pgcore's, and something behind them."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, x):
        return 3 * torch.tanh(self.net(x))


def test_a_module_is_what_it_computes():
    """Not what its layers are; a layer or an activation that comes twice is there twice."""
    with pytest.raises(ValueError, match=r"module: .* a forward\(\) that computes something else"):
        pgcore.policy_from_module(Tanh3(), torch.zeros(2))
    first, middle, act = nn.Linear(4, 8), nn.Linear(8, 8), nn.Tanh()
    twice = nn.Sequential(first, act, middle, act, middle, act, nn.Linear(8, 2))
    policy = pgcore.policy_from_module(twice, torch.zeros(2))
    assert policy.sizes == (4, 8, 8, 8, 2)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(policy.mean(x[None])[0], twice(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"policy_class": {"__module__": "__main__"}}, "a policy of the module __main__"),
     ({"policy_kwargs": {"features_extractor_class": "<class '__main__.Scale'>"}},
      "a features extractor .*__main__.Scale"),
     ({"policy_kwargs": {"activation_fn": "<class '__main__.Tanh'>"}},
      "activation '__main__.Tanh' is not supported"),
     ({"observation_space": {":type:": "<class 'gymnasium.spaces.dict.Dict'>"}},
      "observations that are not a Box are not supported, got .*Dict"),
     ({"observation_space": {":type:": "<class 'gymnasium.spaces.discrete.Discrete'>"}},
      "observations that are not a Box are not supported, got .*Discrete")],
)  # fmt: skip
def test_code_that_a_file_does_not_have(tmp_path, changes, said):
    """Of an extractor without parameters nothing is left in the weights."""
    stable = pytest.importorskip("stable_baselines3")
    model = stable.PPO("MlpPolicy", "Pendulum-v1", n_steps=64, seed=0)
    model.save(tmp_path / "own.zip")
    import_agent(tmp_path / "own.zip", task="gym:Pendulum-v1")
    changed = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "own.zip") as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "data":
                content = json.dumps(json.loads(content) | changes).encode()
            new.writestr(name, content)
    (tmp_path / "other.zip").write_bytes(changed.getvalue())
    with pytest.raises(CheckpointError, match=said):
        import_agent(tmp_path / "other.zip", task="gym:Pendulum-v1")


def test_names_and_bounds_of_other_libraries():
    assert activation_named("<class 'torch.nn.modules.activation.LeakyReLU'>") == "leaky_relu"
    assert activation_named("nn.Identity") == activation_named("Identity") == "linear"
    assert activation_named("<class 'mine.f.<locals>.ReLU'>") == "mine.f.<locals>.ReLU"
    assert statistics(np.zeros(3), np.ones(3), np.inf).clip is None


def test_a_large_deviation_behind_softplus():
    head = pgcore.GaussianPolicy(3, 1, std="state", std_map="softplus").head
    for log_std in (-3.0, 0.0, 7.0, 60.0):
        output = STD_MAPS["softplus"].output(log_std, head)
        back = STD_MAPS["softplus"].log_std(torch.tensor(output, dtype=torch.float64), head)
        assert float(back) == pytest.approx(log_std, abs=1e-6)


def test_environments_are_gone_on_from_once():
    """They stand elsewhere afterwards: the stored observation would be acted on twice."""
    task = pgcore.make_task("gym:Pendulum-v1")
    policy = pgcore.GaussianPolicy(3, 1, hidden=(4,), seed=0)
    end = pgcore.collect(task, policy, 5, keep_end=True).end
    later = pgcore.collect(task, policy, 5, start=end, keep_end=True).end
    with pytest.raises(ValueError, match="start: these environments have gone on"):
        pgcore.collect(task, policy, 5, start=end)
    other = pgcore.make_task("gym:MountainCarContinuous-v0")
    with pytest.raises(ValueError, match=r"start: expected 1 streams of gym:Mountain.*Pendulum"):
        pgcore.collect(other, pgcore.GaussianPolicy(2, 1), 5, start=later)
    later.close()


def test_rows_are_iterations_and_the_last_one_kept_counts(tmp_path):
    """A start in their place would erase them; what was kept may be newer than the latest."""
    config = small_config(keep=(2,), save_every=100)
    with Run(tmp_path / "run", config) as run:
        iterations = run.iterations()
        next(iterations)
        iterations.close()
    folder = tmp_path / "run"
    (folder / "checkpoints" / "latest.safetensors").unlink()
    with Run(tmp_path / "whole", config) as run:
        list(run.iterations())
    assert has_iterations(folder)
    with pytest.raises(ValueError, match="--resume"):
        Run(folder, config)
    checkpoints = tmp_path / "whole" / "checkpoints"
    assert newest_checkpoint(tmp_path / "whole").name == "latest.safetensors"
    shutil.copy(checkpoints / "000002.safetensors", checkpoints / "latest.safetensors")
    assert newest_checkpoint(tmp_path / "whole").name == "000004.safetensors"


def test_a_frozen_trial_stays_where_its_streams_were():
    """``course.step`` is a trial's own; an optimiser's count is not."""
    before = {"policy.step": np.array([3]), "course.step": np.array([[1], [2]])}
    after = {"policy.step": np.array([4]), "course.step": np.array([[5], [6]])}
    kept = kept_state(before, after, np.array([True, False]))
    assert kept["course.step"].ravel().tolist() == [1, 6] and kept["policy.step"].tolist() == [4]
