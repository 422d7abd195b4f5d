"""The native policy: parity with torch, and the distribution of sampled actions."""

import numpy as np
import pytest
import torch
from scipy import stats

import pgcore
from conftest import make_policy
from pgcore import _core
from pgcore.policies.mlp import ACTIVATIONS
from pgcore.rollout import reference

SHAPES = [(11, (64, 64), 3), (376, (64, 64), 17), (5, (), 2), (3, (7,), 1), (17, (33, 20, 9), 6)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("obs_dim", "hidden", "act_dim"), SHAPES)
def test_mean_equals_torch(obs_dim, hidden, act_dim, activation):
    policy = pgcore.GaussianPolicy(obs_dim, act_dim, hidden, 3, activation=activation, seed=5)
    generator = torch.Generator().manual_seed(1)
    policy.load_flat(policy.flat + 0.1 * torch.randn(policy.flat.shape, generator=generator))
    inputs = 3 * torch.randn(3, 50, obs_dim, generator=generator)
    native, _ = _core.policy_outputs(
        params=policy.flat.numpy(),
        sizes=policy.sizes,
        kind=policy.kind(),
        inputs=inputs.numpy(),
    )
    exact = [t.double() for t in policy.tensors]
    torch_mean = policy.mean(inputs.double(), exact).detach().numpy()
    # 1e-5 of the size of an output: float32 sums of up to 376 terms
    np.testing.assert_allclose(native, torch_mean, rtol=1e-5, atol=1e-5 * np.abs(torch_mean).max())
    numpy_mean = reference.mlp_mean(
        policy.flat[1].numpy(), policy.sizes, activation, inputs[1].numpy()
    )
    np.testing.assert_allclose(native[1], numpy_mean, atol=1e-5 * np.abs(torch_mean).max())


def exact_activation(name, x):
    """torch's in float64, but for a tail that it cancels away."""
    return 0.5 * x * torch.erfc(-x / 2**0.5) if name == "gelu" else ACTIVATIONS[name].value(x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_accurate_everywhere(name):
    x = np.concatenate([s * np.logspace(-8, 1.9, 5000) for s in (-1, 1)] + [[0.0]])
    x = x.astype(np.float32)
    expected = exact_activation(name, torch.from_numpy(x.astype(np.float64))).numpy()
    got = _core.activate(name, x)
    normal = np.abs(expected) > 1e-30
    # 1e-6 relative: about 8 units in the last place of float32
    np.testing.assert_allclose(got[normal], expected[normal], rtol=1e-6)
    assert np.isfinite(got).all()


def test_log_probs_equal_torch():
    task = pgcore.make_task("Walker2d-v4")
    policy = make_policy(task, 2, (64, 64), spread=0.1)
    batch = pgcore.collect(task, policy, 200, streams=2, seed=1)
    inputs = torch.from_numpy(batch.inputs).view(2, 400, -1)
    actions = torch.from_numpy(batch.actions).view(2, 400, -1)
    expected = policy.log_prob(inputs, actions).detach().reshape(4, 200).numpy()
    np.testing.assert_allclose(batch.log_probs, expected, rtol=1e-5, atol=1e-5)


def test_sampled_actions_have_the_right_distribution():
    task = pgcore.make_task("HalfCheetah-v4")
    policy = make_policy(task, 1, (8,), log_std=-0.5)
    policy.split(policy.flat)[-1].copy_(torch.linspace(-1, 0.5, 6))
    batch = pgcore.collect(task, policy, 5000, streams=4, seed=3)
    inputs = torch.from_numpy(batch.inputs).view(1, -1, task.obs_dim)
    mean = policy.mean(inputs).detach().numpy()[0]
    std = np.exp(np.linspace(-1, 0.5, 6))
    z = (batch.actions.reshape(-1, 6) - mean) / std
    n = len(z)
    # standard errors of mean 1/sqrt(n), variance sqrt(2/n), correlation 1/sqrt(n); 5 of each
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(n)
    assert np.abs(z.var(axis=0) - 1).max() < 5 * np.sqrt(2 / n)
    covariance = np.cov(z.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 5 / np.sqrt(n)
    assert all(stats.kstest(column, "norm").pvalue > 1e-4 for column in z.T)
    # streams are independent of each other, and so are consecutive steps
    by_stream = z.reshape(4, 5000, 6)
    for a in range(4):
        for b in range(a):
            r = np.corrcoef(by_stream[a, :, 0], by_stream[b, :, 0])[0, 1]
            assert abs(r) < 5 / np.sqrt(5000)
    assert abs(np.corrcoef(by_stream[0, 1:, 0], by_stream[0, :-1, 0])[0, 1]) < 5 / np.sqrt(5000)


def test_three_seeds_equal_equal_different():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    first, again, other = (pgcore.collect(task, policy, 50, seed=s) for s in (4, 4, 5))
    assert np.array_equal(first.actions, again.actions)
    assert not np.array_equal(first.actions, other.actions)


def test_deterministic_actions_are_the_mean():
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1)
    batch = pgcore.collect(task, policy, 50, seed=1, deterministic=True)
    mean = policy.mean(torch.from_numpy(batch.inputs)).detach().numpy()
    np.testing.assert_allclose(batch.actions, mean, rtol=1e-5, atol=1e-6)


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="one of tanh, relu, elu"):
        _core.activate("sine", np.zeros(1, np.float32))
    with pytest.raises(ValueError, match="one of tanh, relu, elu"):
        pgcore.GaussianPolicy(2, 1, activation="sine")


def test_log_probs_are_of_the_action_that_was_taken():
    """Which is rounded to float32: with a small std that is another one than the noise said."""
    task = pgcore.make_task("Hopper-v4")
    policy = make_policy(task, 1, (8,), log_std=-14.0)
    batch = pgcore.collect(task, policy, 100, seed=1)
    mean, std = _core.policy_outputs(
        params=policy.flat.numpy(), sizes=policy.sizes, kind=policy.kind(), inputs=batch.inputs
    )
    z = (batch.actions.astype(np.float64) - mean) / std
    wanted = stats.norm.logpdf(z).sum(-1) - np.log(std).sum(-1)
    np.testing.assert_allclose(batch.log_probs, wanted, rtol=1e-7)  # stored as float32
    assert (np.abs(mean) > 0.1).any()  # so that rounding is as large as std


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sizes": [5]}, r"^sizes: expected at least \[obs_dim, act_dim\], all positive$"),
        ({"sizes": [5, 0, 2]}, "^sizes: .*all positive$"),
        ({"params": np.zeros((1, 15), np.float32)}, r"^params: expected \[members, 14\] values"),
        ({"params": np.zeros((1, 13), np.float32)}, r"^params: .* got 13 values for 1 members$"),
        ({"params": np.zeros((0, 14), np.float32)}, r"^params: .* got 0 values for 0 members$"),
    ],
)
def test_a_stack_that_does_not_fit_its_sizes_is_refused(change, text):
    policy = pgcore.GaussianPolicy(5, 2, ())
    fitting = {
        "params": policy.flat.numpy(),
        "sizes": [5, 2],
        "kind": policy.kind(),
        "inputs": np.zeros((1, 1, 5), np.float32),
    }
    assert fitting["params"].shape == (1, 14)
    _core.policy_outputs(**fitting)
    with pytest.raises(ValueError, match=text):
        _core.policy_outputs(**(fitting | change))


def test_a_head_of_means_and_stds_has_two_outputs_of_each():
    kind = pgcore.GaussianPolicy(5, 1, (), std="state").kind()
    arguments = {"params": np.zeros((1, 18), np.float32), "sizes": [5, 3], "kind": kind}
    with pytest.raises(ValueError, match=r"^sizes: expected 2 act_dim outputs, got 3$"):
        _core.policy_outputs(**arguments, inputs=np.zeros((1, 1, 5), np.float32))
