"""A small stack of agents and a batch of theirs, for tests of updates."""

import torch

from pgcore import GaussianPolicy, ValueNet
from pgcore.learning.data import TrainingData
from pgcore.learning.optimizer import Adam


def make_data(policy, value, n=256, seed=0):
    generator = torch.Generator().manual_seed(seed)
    members = policy.members
    inputs = torch.randn(members, n, policy.obs_dim, generator=generator)
    with torch.no_grad():
        there = policy.distribution(inputs)
        actions = there.sample(torch.randn(there.mean.shape, generator=generator))
        log_probs = there.log_prob(actions)
        values = value(inputs)
    advantages = torch.randn(members, n, generator=generator) + actions[..., 0]
    return TrainingData(
        inputs, actions, log_probs, advantages, values, values + advantages, torch.ones(members, n)
    )


def select(data, members):
    return TrainingData(*(getattr(data, f)[members] for f in TrainingData.__dataclass_fields__))


def adam(network, lr=1e-3):
    return Adam(network.flat, network.flat_grad, lr, eps=1e-5)


def small_stack():
    """Three policies, their value networks and a batch."""
    policy = GaussianPolicy(6, 2, (16, 16), 3, seed=3)
    policy.load_flat(
        policy.flat
        + 0.1 * torch.randn(policy.flat.shape, generator=torch.Generator().manual_seed(1))
    )
    value = ValueNet(6, (16, 16), 3, seed=4)
    return policy, value, make_data(policy, value)
