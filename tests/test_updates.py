"""PPO and TRPO updates: laws, and stacks against single members."""

import copy

import pytest
import torch

from pgcore import GaussianPolicy
from pgcore.learning import objectives, ppo, trpo
from pgcore.learning.algorithms import ALGORITHMS
from pgcore.learning.data import Minibatches, Orders, TrainingData, permutations
from pgcore.learning.value import update_value
from update_case import adam, select, small_stack


@pytest.fixture
def stack():
    return small_stack()


def orders(members, epochs=2, n=256):
    return Minibatches(epochs, 8, permutations(0, list(range(members)), 0, 0, epochs, n))


def test_surrogate_gradient_at_the_old_policy_is_the_policy_gradient(stack):
    policy, _, data = stack
    got = trpo.surrogate_gradient(policy, data, data.advantages)
    log_prob = policy.log_prob(data.inputs, data.actions)
    policy_gradient = torch.autograd.grad(
        (log_prob * data.advantages).mean(-1).sum(), list(policy.tensors)
    )
    flat = torch.cat([g.reshape(3, -1) for g in policy_gradient], dim=1)
    torch.testing.assert_close(got, flat, rtol=1e-4, atol=1e-6)
    # PPO's closed form at ratio 1 is the same thing
    ratio = torch.ones_like(data.log_probs)
    slope = objectives.clipped_surrogate_gradient(ratio, data.advantages, 0.2)
    torch.testing.assert_close(slope, data.advantages / 256)


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_a_stack_gives_each_member_what_it_gets_alone(stack, algorithm):
    policy, value, data = stack

    def update(p, v, d, minibatches):
        if algorithm == "ppo":
            ppo.update_policy(p, adam(p), d, minibatches, clip=0.2)
        else:
            trpo.update_policy(p, d, kl=0.02)
        update_value(v, adam(v), d, minibatches, clip=0.2)

    alone = []
    for m in range(3):
        p = policy.with_members(policy.flat[m : m + 1])
        v = value.with_members(value.flat[m : m + 1])
        one = Minibatches(2, 8, orders(3).order[m : m + 1])
        update(p, v, select(data, slice(m, m + 1)), one)
        alone.append((p.flat, v.flat))
    start = policy.flat.clone()
    update(policy, value, data, orders(3))
    moved = (policy.flat - start).norm(dim=1)
    assert moved.min() > 1e-3
    for m, (p, v) in enumerate(alone):
        # float32 sums in another order, over 16 Adam steps; relative to the step itself
        assert (policy.flat[m] - p[0]).norm() < 1e-3 * moved[m]
        torch.testing.assert_close(value.flat[m], v[0], atol=1e-4, rtol=1e-3)


def test_pairs_of_weight_zero_do_not_move_the_value_network(stack):
    _, value, data = stack
    masked = copy.copy(data)
    weights = torch.ones(3, 256)
    weights[:, ::2] = 0
    nonsense = data.targets.clone()
    nonsense[:, ::2] = 1e6
    results = []
    for targets in (data.targets, nonsense):
        net = value.with_members(value.flat)
        masked = TrainingData(
            data.inputs,
            data.actions,
            data.log_probs,
            data.advantages,
            data.values,
            targets,
            weights,
        )
        update_value(net, adam(net), masked, orders(3))
        results.append(net.flat)
    assert torch.equal(*results)


def explicit_fisher(policy, inputs):
    """F = E[J_μᵀ Σ⁻¹ J_μ] for the mean and 2 I for log_std: the Fisher matrix of a Gaussian."""
    tensors = [t.detach().clone().requires_grad_() for t in policy.tensors]
    mean = policy.mean(inputs, tensors)[0]
    rows = []
    for value in (mean / tensors[-1][0].exp().detach()).reshape(-1):
        g = torch.autograd.grad(value, tensors[:-1], retain_graph=True)
        rows.append(torch.cat([x.reshape(-1) for x in g]))
    jacobian = torch.stack(rows)
    count = jacobian.shape[1]
    fisher = torch.zeros(count + policy.act_dim, count + policy.act_dim)
    fisher[:count, :count] = jacobian.T @ jacobian / inputs.shape[1]
    fisher[count:, count:] = 2 * torch.eye(policy.act_dim)
    return fisher


def test_fisher_vector_product_equals_the_explicit_fisher():
    policy = GaussianPolicy(2, 1, (4,), 1, seed=2)  # 18 parameters
    generator = torch.Generator().manual_seed(0)
    policy.load_flat(policy.flat + 0.5 * torch.randn(policy.flat.shape, generator=generator))
    inputs = torch.randn(1, 100, 2, generator=generator)
    fisher = explicit_fisher(policy, inputs)
    product = trpo.fisher_vector_product(policy, inputs, damping=0.1)
    for _ in range(3):
        vector = torch.randn(policy.flat.shape, generator=generator)
        expected = vector @ (fisher + 0.1 * torch.eye(len(fisher)))
        torch.testing.assert_close(product(vector), expected, rtol=1e-5, atol=1e-5)
    b = torch.randn(policy.flat.shape, generator=generator)
    x, residual = trpo.conjugate_gradient(product, b, steps=18)
    torch.testing.assert_close(product(x), b, atol=1e-3, rtol=1e-3)
    assert residual.max() < 1e-3


def test_trpo_step_stays_inside_the_trust_region_and_raises_the_surrogate(stack):
    policy, _, data = stack
    old = policy.with_members(policy.flat)
    stats = trpo.update_policy(policy, data, kl=0.02)
    with torch.no_grad():
        kl = old.distribution(data.inputs).kl(policy.distribution(data.inputs))
    assert (kl <= 0.02).all() and (kl > 0.002).all()
    torch.testing.assert_close(stats["kl"], kl)
    assert (stats["surrogate_gain"] > 0).all() and (stats["step_fraction"] > 0).all()


def test_failed_line_search_restores_the_member_to_the_bit(stack):
    policy, _, data = stack
    start = policy.flat.clone()
    spoiled = data.advantages.clone()
    spoiled[1] = 0.0  # no gain to be had for this member
    data = TrainingData(
        data.inputs, data.actions, data.log_probs, spoiled, data.values, data.targets, data.weights
    )
    stats = trpo.update_policy(policy, data, kl=0.02)
    assert torch.equal(policy.flat[1], start[1])
    assert stats["step_fraction"][1] == 0 and stats["step_norm"][1] == 0
    assert (policy.flat[[0, 2]] != start[[0, 2]]).any(dim=1).all()


@pytest.mark.parametrize(
    ("name", "changes", "of", "per_pass"),
    [
        ("ppo", {"policy_epochs": 2, "minibatches": 3}, 6, 3),
        ("trpo", {"accept_ratio": 0.9, "kl": 0.5, "backtracks": 5}, 6, 1),
        ("trpo", {"accept_ratio": 2.0, "backtracks": 2}, 3, 1),  # nothing is good enough
        ("a2c", {}, 1, 1),
    ],
)
def test_watching_an_update_changes_no_bit_and_ends_at_its_result(
    stack, name, changes, of, per_pass
):
    policy, _, data = stack
    algorithm, points = ALGORITHMS[name], []
    assert algorithm.can_be_watched
    settings = algorithm.settings(**changes)
    start, ends = policy.flat.clone(), []
    for watched in ({}, {"watch": points.append}):
        own = policy.with_members(start)
        order = Orders(0, [0, 1, 2], 5)
        stats = algorithm.update(own, data, settings, adam(own, 1e-2), order, **watched)
        ends.append((own.flat, stats))
    assert torch.equal(ends[0][0], ends[1][0])
    for key, values in ends[0][1].items():
        assert torch.equal(values, ends[1][1][key]), key
    assert [p.number for p in points] == list(range(1, len(points) + 1))
    assert {(p.of, p.per_pass) for p in points} == {(of, per_pass)} and len(points) <= of
    last, first = points[-1], points[0].flat
    if last.accepted is None:
        assert len(points) == of and torch.equal(last.flat, ends[0][0])
        assert of == 1 or not torch.equal(first, last.flat)  # a copy, not the stack itself
        return
    keep = last.accepted.unsqueeze(1)
    assert torch.equal(torch.where(keep, last.flat, start), ends[0][0])
    assert torch.equal(last.fraction * last.accepted, ends[0][1]["step_fraction"])
    full = first - start
    for p in points:  # each try is its fraction of the first, whole step
        torch.testing.assert_close(
            p.flat - start, p.fraction.unsqueeze(1) * full, atol=1e-6, rtol=1e-4
        )
