"""Every kind of head natively, in the twin, in both updates and in the studies."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

import pgcore
from conftest import HEADS, ball_spec, make_policy
from pgcore import _core
from pgcore.agent import Agent
from pgcore.learning import objectives, ppo, trpo
from pgcore.learning.data import Minibatches, TrainingData, permutations
from pgcore.learning.optimizer import Adam
from pgcore.studies.landscape.surfaces import plane, surrogate_surface

STATE = [head for head in HEADS if not head.startswith("free")]


def pairs(policy, n=256, seed=0):
    """Pairs of a policy, with advantages that prefer actions near a function of the state."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(policy.members, n, policy.obs_dim, generator=generator)
    with torch.no_grad():
        there = policy.distribution(inputs)
        actions = there.sample(torch.randn(there.mean.shape, generator=generator))
        log_probs = there.log_prob(actions)
    wanted = 0.5 * torch.sin(inputs[..., : policy.act_dim])
    advantages = -((actions - wanted) ** 2).sum(-1)
    return TrainingData(inputs, actions, log_probs, advantages, *[torch.ones_like(log_probs)] * 3)


def stack(head, members=3):
    policy = pgcore.GaussianPolicy(4, 2, (16,), members, seed=3, log_std=-0.5, **HEADS[head])
    generator = torch.Generator().manual_seed(1)
    policy.load_flat(policy.flat + 0.2 * torch.randn(policy.flat.shape, generator=generator))
    return policy


def orders(members, epochs=2, count=8, n=256):
    return Minibatches(epochs, count, permutations(0, list(range(members)), 0, 0, epochs, n))


def adam(policy, lr=1e-3):
    return Adam(policy.flat, policy.flat_grad, lr, eps=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_native_outputs_equal_torch(head):
    policy = stack(head)
    inputs = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(2))
    mean, std = _core.policy_outputs(
        params=policy.flat.numpy(), sizes=policy.sizes, kind=policy.kind(), inputs=inputs.numpy()
    )
    exact = policy.distribution(inputs, [t.data.double() for t in policy.tensors])
    torch_std = exact.log_std.exp().expand_as(exact.mean).numpy()
    # float32 sums, and exponentials of them
    np.testing.assert_allclose(mean, exact.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(std, torch_std, rtol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_twin_and_log_probs_follow_the_native_path(head):
    task = pgcore.make_task("Walker2d-v4")
    policy = make_policy(task, 2, (16,), spread=0.05, **HEADS[head])
    native = pgcore.collect(task, policy, 25, streams=2, seed=3)
    twin = pgcore.collect(task, policy, 25, streams=2, seed=3, backend="python")
    # rounding of the two float32 networks grows with every step of contact dynamics
    for name, atol in (("actions", 1e-4), ("rewards", 1e-3), ("log_probs", 1e-4)):
        got, want = (getattr(b, name)[:, :12] for b in (twin, native))
        np.testing.assert_allclose(got, want, atol=atol, err_msg=name)
    np.testing.assert_allclose(twin.actions[:, 0], native.actions[:, 0], rtol=1e-5, atol=1e-6)
    inputs = torch.from_numpy(native.inputs).view(2, 50, -1)
    actions = torch.from_numpy(native.actions).view(2, 50, -1)
    expected = policy.log_prob(inputs, actions).detach().reshape(4, 25)
    np.testing.assert_allclose(native.log_probs, expected, rtol=1e-5, atol=1e-5)
    acting = pgcore.collect(task, policy, 25, seed=3, deterministic=True)
    mean = policy.mean(torch.from_numpy(acting.inputs)).detach()
    np.testing.assert_allclose(acting.actions, mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", STATE)
def test_native_bits_depend_on_the_arguments_alone(head):
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 2, spread=0.2, **HEADS[head])
    whole = pgcore.collect(task, policy, 60, streams=3, seed=7, num_threads=1)
    again = pgcore.collect(task, policy, 60, streams=3, seed=7, num_threads=3)
    assert np.array_equal(whole.actions, again.actions)
    assert np.array_equal(whole.log_probs, again.log_probs)
    alone = pgcore.collect(  # the second member's streams, of a stack of its own
        task, policy.with_members(policy.flat[1:]), 60, 3, 7, stream_ids=whole.stream_ids[3:]
    )
    assert np.array_equal(alone.actions, whole.actions[3:])
    assert np.array_equal(alone.log_probs, whole.log_probs[3:])


@pytest.mark.parametrize("head", HEADS)
def test_ppo_gradient_equals_autograd(head):
    policy = stack(head)
    data = pairs(policy)
    shift = 0.2 * torch.randn(data.log_probs.shape, generator=torch.Generator().manual_seed(4))
    moved = TrainingData(data.inputs, data.actions, data.log_probs + shift, data.advantages,
                         *[shift] * 3)  # fmt: skip
    order = Minibatches(1, 1, torch.arange(256).expand(3, 1, 256))
    settings = {"clip": 0.2, "entropy": 0.01, "normalize": "none"}
    stats = ppo.update_policy(policy, adam(policy, lr=0.0), moved, order, **settings)
    there = policy.distribution(data.inputs)
    plain = Independent(Normal(there.mean, there.log_std.exp().expand_as(there.mean)), 1)
    ratio = torch.exp(plain.log_prob(data.actions) - moved.log_probs)
    gain = objectives.clipped_surrogate(ratio, data.advantages, 0.2)
    entropy = plain.entropy().mean(-1)
    expected = torch.autograd.grad((-gain - 0.01 * entropy).sum(), list(policy.tensors))
    flat = torch.cat([g.flatten(1) for g in expected], 1)
    # float32 sums over 256 pairs
    assert ((policy.flat_grad - flat).norm(dim=1) < 1e-5 * flat.norm(dim=1)).all()
    torch.testing.assert_close(stats["policy_loss"], -gain.detach())
    torch.testing.assert_close(stats["entropy"], entropy.detach())


@pytest.mark.parametrize("head", HEADS)
def test_trpo_stays_inside_the_trust_region_and_raises_the_surrogate(head):
    policy = stack(head)
    data = pairs(policy)
    before = policy.distribution(data.inputs, policy.split(policy.flat.clone()))
    stats = trpo.update_policy(policy, data, kl=0.02)
    with torch.no_grad():
        after = policy.distribution(data.inputs)
    old, new = (Independent(Normal(g.mean, g.log_std.exp().expand_as(g.mean)), 1)
                for g in (before, after))  # fmt: skip
    kl = kl_divergence(old, new).mean(-1)
    assert (kl <= 0.02 * (1 + 1e-4)).all() and (kl > 0.002).all()
    torch.testing.assert_close(stats["kl"], kl, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(stats["entropy"], new.entropy().mean(-1))
    assert (stats["surrogate_gain"] > 0).all() and (stats["step_fraction"] > 0).all()


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
@pytest.mark.parametrize("head", STATE)
def test_a_stack_gives_each_member_what_it_gets_alone(head, algorithm):
    policy = stack(head)
    data, order = pairs(policy), orders(3)

    def update(p, d, minibatches):
        if algorithm == "ppo":
            ppo.update_policy(p, adam(p), d, minibatches, clip=0.2, entropy=0.01)
        else:
            trpo.update_policy(p, d, kl=0.02)
        return p.flat

    start = policy.flat.clone()
    alone = []
    for m in range(3):
        own = slice(m, m + 1)
        one = TrainingData(*(getattr(data, f)[own] for f in TrainingData.__dataclass_fields__))
        alone.append(
            update(policy.with_members(start[own]), one, Minibatches(2, 8, order.order[own]))
        )
    together = update(policy, data, order)
    moved = (together - start).norm(dim=1)
    assert moved.min() > 1e-3
    # float32 sums in another order, over 16 Adam steps; relative to the step itself
    assert ((together - torch.cat(alone)).norm(dim=1) < 1e-3 * moved).all()


@pytest.mark.parametrize(("algorithm", "clip"), [("trpo", None), ("ppo", 0.2)])
def test_surfaces_of_a_state_dependent_policy(algorithm, clip):
    """Surrogate and KL on a plane, against torch.distributions on every pair at once."""
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, 1, (8,), 0.1, std="state", std_map="softplus")
    agent = Agent(task, policy, pgcore.ValueNet(task.obs_dim), algorithm=algorithm)
    generator = np.random.default_rng(0)
    directions = 0.05 * generator.standard_normal((2, policy.flat.shape[1]))
    policies = plane(agent, *directions, np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0]))
    batch = pgcore.collect(task, policy, 5000, seed=2)
    noise = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    inputs, actions = (torch.from_numpy(x) for x in (batch.inputs, batch.actions))
    data = TrainingData(inputs, actions, torch.from_numpy(batch.log_probs), *[noise] * 4)
    surface, kl = surrogate_surface(policies, agent, data, 2)

    def plain(p, m):
        g = p.distribution(inputs, [t.data[m : m + 1].double() for t in p.tensors])
        return Independent(Normal(g.mean, g.log_std.exp()), 1)

    old, a = plain(policy, 0), objectives.normalize_advantages(noise.double())
    for m in range(6):
        new = plain(policies, m)
        ratio = torch.exp(new.log_prob(actions.double()) - old.log_prob(actions.double()))
        gain = ratio * a
        if clip is not None:
            gain = torch.minimum(gain, ratio.clamp(1 - clip, 1 + clip) * a)
        np.testing.assert_allclose(kl[m], kl_divergence(old, new).mean(), rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(surface[m], gain.mean(), atol=1e-5)
    assert abs(kl[2]) < 1e-7 and (kl[[0, 1, 3, 4, 5]] > 1e-3).all()


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
@pytest.mark.parametrize("head", STATE)
def test_training_learns_to_push_the_ball(tmp_path, head, algorithm):
    """Two agents on native rollouts; the reward of a step is the ball's velocity."""
    task = pgcore.Task(ball_spec(tmp_path))
    policy = pgcore.GaussianPolicy(4, 1, (8,), 2, log_std=-0.5, **HEADS[head])
    optimizer, returns = adam(policy, lr=0.02), []
    for iteration in range(12):
        batch = pgcore.collect(task, policy, 50, streams=8, seed=iteration)
        rewards = batch.rewards
        ahead = rewards[:, ::-1].cumsum(1)[:, ::-1]
        returns.append(rewards.reshape(2, -1).sum(1) / 8)
        advantages = ahead.reshape(2, 8, 50) - ahead.reshape(2, 8, 50).mean(1, keepdims=True)
        rows = [batch.inputs, batch.actions, batch.log_probs, advantages.astype(np.float32)]
        parts = [torch.from_numpy(x.reshape(2, 400, *x.shape[2:])) for x in rows[:2]]
        parts += [torch.from_numpy(x.reshape(2, 400)) for x in rows[2:]]
        data = TrainingData(*parts, *[parts[2]] * 3)
        if algorithm == "ppo":
            stats = ppo.update_policy(policy, optimizer, data, orders(2, 4, 4, 400), clip=0.2)
        else:
            stats = trpo.update_policy(policy, data, kl=0.05)
            assert (stats["kl"] <= 0.05).all()
        assert all(torch.isfinite(value).all() for value in stats.values())
    assert (returns[-1] > returns[0] + 3.0).all()
