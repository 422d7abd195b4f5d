"""Objectives: closed-form gradients against autograd, and laws."""

import math

import numpy as np
import pytest
import torch

from pgcore.learning import objectives
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.mlp import ACTIVATIONS, mlp_backward, mlp_forward, mlp_tangent, tanh


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_clipped_surrogate_gradient_equals_autograd(generator):
    log_ratio = (0.4 * torch.randn(3, 200, generator=generator)).double().requires_grad_()
    advantages = torch.randn(3, 200, generator=generator).double()
    ratio = torch.exp(log_ratio)
    (expected,) = torch.autograd.grad(
        objectives.clipped_surrogate(ratio, advantages, 0.2).sum(), log_ratio
    )
    got = objectives.clipped_surrogate_gradient(ratio.detach(), advantages, 0.2)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)
    assert (got == 0).any() and (got != 0).any()


@pytest.mark.parametrize("clip", [None, 0.2])
def test_value_loss_gradient_equals_autograd(generator, clip):
    old, targets = torch.randn(2, 3, 200, generator=generator).double()
    values = (old + 0.3 * torch.randn(3, 200, generator=generator).double()).requires_grad_()
    weights = (torch.rand(3, 200, generator=generator) > 0.1).double()
    loss = objectives.value_loss(values, old, targets, weights, clip)
    (expected,) = torch.autograd.grad(loss.sum(), values)
    got = objectives.value_loss_gradient(values.detach(), old, targets, weights, clip)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_backward_equals_autograd(generator, activation):
    policy = GaussianPolicy(5, 2, (7, 6), 3, activation=activation, seed=1)
    inputs = torch.randn(3, 40, 5, generator=generator)
    d_out = torch.randn(3, 40, 2, generator=generator)
    layers = list(policy.tensors)[: policy.layer_tensors]
    out, kept = mlp_forward([t.data for t in layers], inputs, activation)
    gradients = [torch.zeros_like(t) for t in layers]
    mlp_backward([t.data for t in layers], kept, d_out, activation, gradients)
    expected = torch.autograd.grad((policy.mean(inputs) * d_out).sum(), layers)
    for got, want in zip(gradients, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)  # float32 sums over 40 rows
    torch.testing.assert_close(out, policy.mean(inputs).detach())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_tangent_is_the_derivative_along_a_line(generator, activation):
    policy = GaussianPolicy(5, 2, (7, 6), 3, activation=activation, seed=1)
    inputs = torch.randn(3, 40, 5, generator=generator)
    layers = [t.data for t in policy.tensors][: policy.layer_tensors]
    direction = [torch.randn(t.shape, generator=generator) for t in layers]
    _, kept = mlp_forward(layers, inputs, activation)
    got = mlp_tangent(layers, kept, direction, activation)
    _, want = torch.autograd.functional.jvp(
        lambda *tensors: policy.apply_network(inputs, tensors), tuple(layers), tuple(direction)
    )
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)  # float32 sums


def test_tanh_without_a_tape_is_tanh(generator):
    """Within two units in the last place of float32; the same for every slice and layout."""
    x = torch.cat([s * torch.randn(100_000, generator=generator) for s in (1e-4, 0.1, 1.0, 5.0)])
    exact = torch.tanh(x.double())
    unit = torch.from_numpy(np.spacing(exact.abs().float().numpy()))
    assert ((tanh(x).double() - exact).abs() <= 2 * unit).all()
    assert torch.equal(tanh(x[3:50]), tanh(x)[3:50])
    assert torch.equal(tanh(x.view(4, -1).T), tanh(x).view(4, -1).T)
    extreme = torch.tensor([torch.inf, -torch.inf, 50.0, -0.0])
    assert torch.equal(tanh(extreme), torch.tensor([1.0, -1.0, 1.0, -0.0]))
    assert tanh(torch.tensor([torch.nan])).isnan().all()
    (slope,) = torch.autograd.grad(tanh(x.requires_grad_()).sum(), x)  # with one it is torch's
    torch.testing.assert_close(slope, (1 - exact**2).float())


def test_clipping_changes_nothing_at_ratio_one(generator):
    advantages = torch.randn(2, 100, generator=generator)
    ratio = torch.ones(2, 100)
    torch.testing.assert_close(
        objectives.clipped_surrogate(ratio, advantages, 0.2),
        objectives.surrogate(ratio, advantages),
    )


def test_normalised_advantages_have_mean_zero_and_unit_spread(generator):
    a = objectives.normalize_advantages(5 + 3 * torch.randn(2, 1000, generator=generator))
    assert a.mean(-1).abs().max() < 1e-5
    assert (a.std(-1) - 1).abs().max() < 1e-5
    assert math.isfinite(float(objectives.normalize_advantages(torch.ones(1, 1))))


def test_explained_variance():
    values, returns = torch.randn(2, 3, 4, 50, generator=torch.Generator().manual_seed(1)).double()
    wanted = 1 - np.var((returns - values).numpy(), -1) / np.var(returns.numpy(), -1)
    found = objectives.explained_variance(values, returns)
    np.testing.assert_allclose(found, wanted)
    small = objectives.explained_variance(1e-3 * values, 1e-3 * returns)
    np.testing.assert_allclose(small, wanted)
    alike = objectives.explained_variance(values, torch.ones_like(returns))
    assert torch.isfinite(alike).all() and (alike < 0).all()


def test_normalized_advantages():
    advantages = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(2)).double()
    two = advantages[..., :2].numpy()
    wanted = (two - two.mean(-1, keepdims=True)) / two.std(-1, ddof=1, keepdims=True)
    np.testing.assert_allclose(objectives.normalize_advantages(advantages[..., :2]), wanted, 1e-6)
    alone = objectives.normalize_advantages(advantages[..., :1])
    assert alone.shape == (2, 3, 1) and not alone.any()
    # a spread of 1e-8 is halved by what keeps the division finite
    tiny = objectives.normalize_advantages(torch.tensor([[-1e-8, 0.0, 1e-8]]).double())
    np.testing.assert_allclose(tiny, [[-0.5, 0.0, 0.5]])


def test_further_axes_lead():
    """Of minibatches, say: each slice is what it would be alone."""
    generator = torch.Generator().manual_seed(3)
    ratio = torch.exp(0.4 * torch.randn(2, 3, 5, generator=generator).double())
    advantages, old, targets = torch.randn(3, 2, 3, 5, generator=generator).double()
    values, weights = old + 0.3 * advantages, (advantages < 1).double()
    for function, arguments in (
        (objectives.normalize_advantages, (advantages,)),
        (objectives.surrogate, (ratio, advantages)),
        (objectives.clipped_surrogate, (ratio, advantages, 0.2)),
        (objectives.clipped_surrogate_gradient, (ratio, advantages, 0.2)),
        (objectives.value_loss, (values, old, targets, weights, 0.2)),
        (objectives.value_loss_gradient, (values, old, targets, weights, 0.2)),
        (objectives.explained_variance, (values, targets)),
    ):
        whole = function(*arguments)
        for i in range(2):
            one = (a[i] if isinstance(a, torch.Tensor) else a for a in arguments)
            torch.testing.assert_close(whole[i], function(*one), rtol=0, atol=0)


def test_a_loss_of_one_pair_is_its_own():
    """Weights are counted as they are, from one pair on; none gives a loss of 0."""
    values, old, targets = torch.tensor([[[1.0]], [[0.5]], [[3.0]]]).double()
    for weight in (1.0, 0.0):
        weights = torch.full_like(values, weight)
        loss = objectives.value_loss(values, old, targets, weights, None)
        assert loss.tolist() == [4.0 * weight]
        slope = objectives.value_loss_gradient(values, old, targets, weights, None)
        assert slope.tolist() == [[-4.0 * weight]]
