"""PPO and TRPO updates against the arithmetic of Stable-Baselines3 and sb3-contrib."""

import copy

import numpy as np
import pytest
import torch

from pgcore.learning import objectives, ppo, trpo
from pgcore.learning.data import Minibatches, TrainingData
from pgcore.learning.value import update_value
from update_case import adam, select, small_stack


@pytest.fixture
def stack():
    return small_stack()


def test_ppo_equals_stable_baselines3_arithmetic(stack):
    """One minibatch: the losses of sb3's PPO.train on the same numbers, and their gradients."""
    policy, value, data = stack
    one = select(data, slice(0, 1))
    tensors = [t.detach().clone().requires_grad_() for t in policy.tensors]
    log_prob = policy.log_prob(data.inputs, data.actions, tensors)[0]
    # stable_baselines3/ppo/ppo.py, train(): normalisation, ratio, clipped loss, value loss
    a = one.advantages[0]
    a = (a - a.mean()) / (a.std() + 1e-8)
    old = one.log_probs[0] + 0.3 * torch.randn(256, generator=torch.Generator().manual_seed(5))
    ratio = torch.exp(log_prob - old)
    loss = -torch.min(a * ratio, a * torch.clamp(ratio, 0.8, 1.2)).mean()
    expected = torch.autograd.grad(loss, tensors)
    single = policy.with_members(policy.flat[:1])
    shifted = TrainingData(
        one.inputs, one.actions, old[None], one.advantages, one.values, one.targets, one.weights
    )
    order = Minibatches(1, 1, torch.arange(256).view(1, 1, 256))
    frozen = adam(single, lr=0.0)
    stats = ppo.update_policy(single, frozen, shifted, order, clip=0.2)
    torch.testing.assert_close(stats["policy_loss"][0], loss.detach(), rtol=1e-5, atol=1e-6)
    flat = torch.cat([g[:1].reshape(1, -1) for g in expected], dim=1)
    torch.testing.assert_close(single.flat_grad, flat, rtol=1e-4, atol=1e-5 * flat.abs().max())
    v = value.with_members(value.flat[:1])
    stats = update_value(v, adam(v, lr=0.0), shifted, order)
    mse = torch.nn.functional.mse_loss(one.targets, one.values)
    torch.testing.assert_close(stats["value_loss"][0], mse, rtol=1e-5, atol=1e-6)


def test_trpo_direction_agrees_with_sb3_contrib(stack):
    """The same batch through sb3-contrib's own solver and products, on its own network.

    Its KL divergence is the mean over the two action dimensions, ours their sum: its Fisher matrix
    is half of ours, so that half the damping is the same setting.
    """
    from gymnasium.spaces import Box
    from sb3_contrib import TRPO
    from sb3_contrib.common.utils import conjugate_gradient_solver
    from stable_baselines3.common.distributions import kl_divergence

    policy, _, data = stack
    one = policy.with_members(policy.flat[:1])
    env = _space_env(Box(-9, 9, (6,)), Box(-9, 9, (2,)))
    sizes = {"net_arch": [16, 16]}
    agent = TRPO("MlpPolicy", env, cg_damping=0.1 / 2, policy_kwargs=sizes, device="cpu")
    net = agent.policy
    layers = [net.mlp_extractor.policy_net[0], net.mlp_extractor.policy_net[2], net.action_net]
    with torch.no_grad():
        for i, layer in enumerate(layers):
            layer.weight.copy_(one.tensors[2 * i][0].T)
            layer.bias.copy_(one.tensors[2 * i + 1][0])
        net.log_std.copy_(one.log_std[0])
    obs, actions = data.inputs[0], data.actions[0]
    advantages = objectives.normalize_advantages(data.advantages[:1])[0]
    with torch.no_grad():
        old = copy.copy(net.get_distribution(obs))  # the network reuses one object
        old_log_prob = old.log_prob(actions)
    distribution = net.get_distribution(obs)
    ratio = torch.exp(distribution.log_prob(actions) - old_log_prob)
    divergence = kl_divergence(distribution, old)
    assert divergence.shape == (256, 2)
    actor, gradients, kl_gradients, _ = agent._compute_actor_grad(
        divergence.mean(), (advantages * ratio).mean()
    )
    theirs = conjugate_gradient_solver(
        lambda v: agent.hessian_vector_product(actor, kl_gradients, v), gradients, max_iter=10
    )
    gradient = trpo.surrogate_gradient(one, select(data, slice(0, 1)), advantages[None])
    product = trpo.fisher_vector_product(one, data.inputs[:1], 0.1)
    mine, _ = trpo.conjugate_gradient(product, gradient, 10)
    parts = [t[0] for t in one.split(mine)]
    ours = dict(zip(["w0", "b0", "w1", "b1", "w2", "b2", "log_std"], parts, strict=True))
    # sb3's order: log_std, then weights [out, in] and biases
    arranged = [ours["log_std"]]
    for i in range(3):
        arranged += [ours[f"w{i}"].T.reshape(-1), ours[f"b{i}"]]
    flat = torch.cat(arranged)
    assert flat.shape == theirs.shape
    cosine = torch.nn.functional.cosine_similarity(flat, theirs, dim=0)
    assert cosine > 0.999


def _space_env(observation_space, action_space):
    import gymnasium

    class Still(gymnasium.Env):
        def __init__(self):
            self.observation_space, self.action_space = observation_space, action_space

        def reset(self, *, seed=None, options=None):
            return np.zeros(observation_space.shape, np.float32), {}

    return Still()
