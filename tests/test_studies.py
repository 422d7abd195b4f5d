"""Studies: correct numbers, the same bits however they are run, and nothing computed twice."""

import shutil

import numpy as np
import pytest
import torch

import pgcore
from conftest import GRADIENTS, assert_same_dataset
from pgcore.policies.gaussian import gradient_sums
from pgcore.studies import figures
from pgcore.studies.gradient.opening import open_gradient
from pgcore.studies.measures import statistics
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling, sample_blocks
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path


def test_gradient_of_a_batch_equals_float64_autograd(runs):
    checkpoint = load_checkpoint(checkpoint_path(runs[0], 2))
    agent = checkpoint.agent().select(1)
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
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    groups = np.arange(5) * 1000
    few = sum_gradients(agent, 100, groups[:2], 7, Sampling(), 1).gradients
    many = sum_gradients(agent, 100, groups, 7, Sampling(), 1).gradients
    np.testing.assert_allclose(few, many[:2], rtol=1e-5, atol=1e-7)
    assert len(np.unique(many.round(6), axis=0)) == 5


def test_advantages_are_on_the_scale_of_the_value_network(runs):
    """An agent that was trained on scaled rewards is judged on scaled rewards."""
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    assert agent.reward_std is not None and agent.reward_std[0] != 1.0
    batch = pgcore.collect(agent.task, agent.policy, 50, normalizer=agent.normalizer)
    np.testing.assert_allclose(
        agent.rewards(batch.rewards), np.clip(batch.rewards / agent.reward_std, -10, 10), rtol=1e-6
    )
    zero = Sampling(baseline="zero").judge(agent, batch)
    plain = pgcore.discounted_returns(
        agent.rewards(batch.rewards), np.zeros((1, 50)), batch.terminated, batch.truncated
    )
    np.testing.assert_array_equal(zero, plain)


def test_a_step_is_the_update_that_training_makes(runs):
    """From the same pairs and minibatch order, a computed step equals the trainer's own."""
    from pgcore.training.trainer import Trainer

    for run in runs:
        checkpoint = load_checkpoint(checkpoint_path(run, 2))
        trainer = Trainer(checkpoint.config)
        trainer.load_state(checkpoint.state, 2)
        block = trainer.blocks[1]
        trial = block.trials[0]
        data = block.training_data(block.rollout(2, 1))
        before = block.policy.flat.clone()
        block.update(data, 2)
        one = type(data)(*(getattr(data, f)[:1] for f in data.__dataclass_fields__))
        step = checkpoint.agent().select(trial).updated(one, checkpoint.config.seed, trial)
        expected = (block.policy.flat - before)[0].numpy()
        np.testing.assert_allclose(step, expected, atol=2e-6)  # float32, another batch size
        assert np.linalg.norm(step) > 1e-3


def test_same_bits_for_any_threads_and_after_a_stop(runs, tmp_path, gradients):
    one = pgcore.open(shutil.copytree(gradients, tmp_path / "a"))
    two = pgcore.studies.gradient_quality(runs, tmp_path / "b", num_threads=3, **GRADIENTS)
    assert_same_dataset(one, two)
    again = pgcore.studies.gradient_quality(runs, tmp_path / "a", **GRADIENTS)
    assert_same_dataset(one, again)
    for name in ("gram", "dot_true", "half_dot", "step_square"):
        assert np.isfinite(one[name].values).all(), name
    assert np.isfinite(one["step_gram"].sel(n=64).values).all()
    assert np.isnan(one["step_gram"].sel(n=256).values).all()
    few = GRADIENTS | {"iterations": (2,), "trials": 1, "seed": 1}
    other = pgcore.studies.gradient_quality(runs[:1], tmp_path / "c", **few)
    same = one["gram"].sel({d: other[d] for d in ("agent", "iteration", "trial")})
    assert same.shape == other["gram"].shape and (same.values != other["gram"].values).all()


def test_noise_scale_of_normalized_advantages(runs):
    """The streams' squares are those of the normalised gradient, as an independent sum says."""
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent().select(0)
    sampling = Sampling(advantages="normalized", stream_steps=64)
    groups = np.arange(2) * (1 << 20)
    sums = sum_gradients(agent, 256, groups, 5, sampling, 1)
    ids = (groups[:, None] + np.arange(4)).reshape(-1)
    (_, batch), *_ = sample_blocks(agent, 64, ids, 5, 1)
    advantages = sampling.judge(agent, batch).reshape(2, -1)
    scaled = (advantages - advantages.mean(1, keepdims=True)) / advantages.std(
        1, ddof=1, keepdims=True
    )
    streams = gradient_sums(agent.policy, batch.inputs, batch.actions, scaled.reshape(8, 64)) / 64
    np.testing.assert_allclose(sums.gradients, streams.reshape(2, 4, -1).mean(1), atol=1e-6)
    assert sums.square == pytest.approx(np.square(streams).sum(1).mean(), rel=1e-5)


def test_the_figure_is_made_from_the_dataset_alone(gradients, prints, tmp_path):
    data = open_gradient(gradients)
    assert "gradient" not in data  # small: inner products only
    for kind in ("step", "gradient"):
        figures.save_figure(figures.gradient_figure(data, kind), tmp_path / "figure")
    assert "trpo" in figures.gradient_table(data)
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


def test_ratio_of_interquartile_means():
    generator = np.random.default_rng(1)
    one, other = generator.normal(600, 60, 8), generator.normal(1000, 100, 8)
    middle, low, high = statistics.iqm_ratio_interval(one, other)
    means = statistics.interquartile_mean(one) / statistics.interquartile_mean(other)
    assert middle == pytest.approx(float(means)) and low < middle < high < 1
    same = statistics.iqm_ratio_interval(np.full(3, 2.0), np.full(5, 8.0))
    assert same == (0.25, 0.25, 0.25)
    _, low, high = statistics.iqm_interval(np.array([[5.0]]))
    assert np.isnan([low, high]).all()  # one trial says nothing of the spread
