"""Studies: correct numbers, the same bits however they are run, and nothing computed twice."""

import multiprocessing
import time

import numpy as np
import pytest
import torch

import pgcore
from conftest import small_config
from pgcore.checkpoint import load_checkpoint
from pgcore.studies import figures, statistics
from pgcore.studies.gradient import Agent, GradientSettings, estimate_gradients, gradient_sums
from pgcore.train import Run, checkpoint_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A PPO and a TRPO run of two trials, with checkpoints 0 and 2."""
    folders = []
    for algorithm in ("ppo", "trpo"):
        folder = tmp_path_factory.mktemp(algorithm)
        config = small_config(algorithm=algorithm, trials=2, normalize_advantages="batch")
        with Run(folder, config) as run:
            list(run.iterations())
        folders.append(folder)
    return folders


SMALL = {"iterations": (0, 2), "pairs": (64, 256), "estimates": 4}


def assert_same_dataset(a, b):
    assert set(a.variables) == set(b.variables)
    for name in a.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


def test_gradient_of_a_batch_equals_float64_autograd(runs):
    checkpoint = load_checkpoint(checkpoint_path(runs[0], 2))
    agent = Agent.of(checkpoint, 1)
    batch = pgcore.collect(
        agent.task, agent.policy, 200, streams=3, normalizer=agent.normalizer, seed=1
    )
    advantages = np.random.default_rng(0).standard_normal(batch.rewards.shape)
    got = gradient_sums(agent.policy, batch.inputs, batch.actions, advantages)
    tensors = [t.detach().double().requires_grad_() for t in agent.policy.tensors]
    for s in range(3):
        log_prob = agent.policy.log_prob(
            torch.from_numpy(batch.inputs[s]).double()[None],
            torch.from_numpy(batch.actions[s]).double()[None],
            tensors,
        )
        total = (log_prob[0] * torch.from_numpy(advantages[s])).sum()
        expected = torch.cat([g.reshape(-1) for g in torch.autograd.grad(total, tensors)])
        error = np.linalg.norm(got[s] - expected.numpy()) / np.linalg.norm(expected.numpy())
        assert error < 1e-6


def test_estimates_do_not_depend_on_each_other(runs):
    """The first estimates are the same when more are asked for."""
    agent = Agent.of(load_checkpoint(checkpoint_path(runs[0], 2)), 0)
    few, _ = estimate_gradients(agent, 100, 2, 7, GradientSettings())
    many, _ = estimate_gradients(agent, 100, 5, 7, GradientSettings())
    np.testing.assert_allclose(few, many[:2], rtol=1e-5, atol=1e-7)
    assert len(np.unique(many.round(6), axis=0)) == 5


def test_same_bits_for_any_threads_and_after_a_stop(runs, tmp_path):
    one = pgcore.studies.gradient_quality(runs, tmp_path / "a", num_threads=1, **SMALL)
    two = pgcore.studies.gradient_quality(runs, tmp_path / "b", num_threads=3, **SMALL)
    assert_same_dataset(one, two)
    again = pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    assert_same_dataset(one, again)
    assert np.isfinite(one["gram"].values).all()
    other = pgcore.studies.gradient_quality(runs, tmp_path / "c", seed=1, **SMALL)
    assert not np.array_equal(one["gram"].values, other["gram"].values)


def _study(runs, out):
    pgcore.studies.gradient_quality(runs, out, num_threads=1, **SMALL)


@pytest.mark.timeout(120)
def test_a_killed_study_resumes_with_the_same_bits(runs, tmp_path):
    whole = pgcore.studies.gradient_quality(runs, tmp_path / "whole", **SMALL)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pgcore.studies.gradient"])
    for delay in (0.0, 0.05, 0.2):
        process = context.Process(target=_study, args=(runs, tmp_path / "cut"))
        process.start()
        chunks = tmp_path / "cut" / "gram" / "c"
        while process.is_alive() and not chunks.exists():
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        process.join()
    cut = pgcore.studies.gradient_quality(runs, tmp_path / "cut", **SMALL)
    assert_same_dataset(whole, cut)


def test_another_study_is_not_overwritten(runs, tmp_path):
    pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    with pytest.raises(ValueError, match="other settings of pairs"):
        pgcore.studies.gradient_quality(runs, tmp_path / "a", **(SMALL | {"pairs": (64,)}))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists and is no study"):
        pgcore.studies.gradient_quality(runs, tmp_path / "b", **SMALL)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pairs": (0,)}, "pairs: expected an integer >= 1, got 0"),
        ({"estimates": 1}, "estimates"),
        ({"iterations": (3,)}, r"has no checkpoint 3; it has \[0, 2, 4\]"),
        ({"trials": 5}, "trials: expected at most 2"),
    ],
)
def test_bad_studies_are_refused_before_any_work(runs, tmp_path, change, text):
    with pytest.raises(ValueError, match=text):
        pgcore.studies.gradient_quality(runs, tmp_path / "x", **(SMALL | change))
    assert not (tmp_path / "x").exists()


def test_the_dataset_says_what_made_it(runs, tmp_path):
    data = pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    for name in (
        "spec",
        "version_pgcore",
        "version_mujoco",
        "version_torch",
        "model_sha256",
        "wall_seconds",
    ):
        assert name in data.attrs, name


def test_the_figure_is_made_from_the_dataset_alone(runs, tmp_path):
    data = pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    figures.save_figure(figures.gradient_figure(data), tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert (tmp_path / "figure.pdf").exists()


def test_pairwise_cosine_of_known_vectors():
    vectors = np.array([[1.0, 0], [0, 2.0], [3.0, 3.0]])
    middle, low, high = statistics.pairwise_cosine_interval(vectors @ vectors.T)
    assert middle == pytest.approx((0 + np.sqrt(0.5) * 2) / 3)
    assert low <= middle <= high


def test_interquartile_mean():
    assert statistics.interquartile_mean(np.array([0.0, 1, 2, 100])) == pytest.approx(1.5)
    assert statistics.interquartile_mean(np.arange(8.0)) == pytest.approx(3.5)
    middle, low, high = statistics.iqm_interval(np.arange(8.0))
    assert low < middle < high
