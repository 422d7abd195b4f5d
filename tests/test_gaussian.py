"""The Gaussians of policies: torch.distributions, autograd and the explicit Fisher matrix."""

import json

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from conftest import HEADS
from pgcore import GaussianPolicy
from pgcore.policies.distribution import Gaussian
from pgcore.policies.gaussian import gradient_sums


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def stack(head, generator, sizes=(5, 2), hidden=(7, 6), members=3, spread=0.5):
    policy = GaussianPolicy(*sizes, hidden, members, seed=1, **HEADS[head])
    policy.load_flat(policy.flat + spread * torch.randn(policy.flat.shape, generator=generator))
    return policy


def exact(policy, inputs):
    """Parameters in float64 under the tape, and torch's own distribution, written out."""
    tensors = [t.detach().double().requires_grad_() for t in policy.tensors]
    x, head, A = inputs.double(), policy.head, policy.act_dim
    for layer in range(0, policy.layer_tensors, 2):
        x = torch.baddbmm(tensors[layer + 1].unsqueeze(1), x, tensors[layer])
        x = torch.tanh(x) if layer + 2 < policy.layer_tensors else x
    mean = torch.tanh(x[..., :A]) if head.mean_map == "tanh" else x[..., :A]
    if head.free:
        std = torch.exp(tensors[-1]).unsqueeze(1).expand_as(mean)
    elif head.std_map == "clamp":
        std = torch.exp(torch.clamp(x[..., A:], *head.log_std_range))
    else:
        std = torch.nn.functional.softplus(x[..., A:]) + head.min_std
    return tensors, Independent(Normal(mean, std), 1)


@pytest.mark.parametrize("shared", [True, False])
def test_terms_equal_torch_distributions(generator, shared):
    mean, new_mean, actions = torch.randn(3, 2, 50, 4, generator=generator).double()
    log_std, new_log_std = 0.3 * torch.randn(2, 2, 50, 4, generator=generator).double()
    if shared:
        log_std, new_log_std = log_std[:, :1], new_log_std[:, :1]
    ours, new = Gaussian(mean, log_std), Gaussian(new_mean, new_log_std)
    old, other = (Independent(Normal(g.mean, g.log_std.exp()), 1) for g in (ours, new))
    torch.testing.assert_close(ours.log_prob(actions), old.log_prob(actions))
    z = ours.standardized(actions)
    torch.testing.assert_close(ours.log_ratio(z, torch.ones(2, 50)), old.log_prob(actions) - 1)
    torch.testing.assert_close(ours.kl(new), kl_divergence(old, other).mean(-1))
    torch.testing.assert_close(ours.entropy(), old.entropy().mean(-1))
    part = slice(10, 30)
    torch.testing.assert_close(
        ours.states(part).log_prob(actions[:, part]), ours.log_prob(actions)[:, part]
    )
    torch.testing.assert_close(ours.standardized(ours.sample(z)), z)


@pytest.mark.parametrize("head", HEADS)
def test_distributions_equal_plain_torch(generator, head):
    """float32 against float64: 1e-5 of the size of the numbers."""
    policy = stack(head, generator)
    inputs = torch.randn(3, 40, 5, generator=generator)
    _, plain = exact(policy, inputs)
    got = policy.distribution(inputs)
    actions = got.sample(torch.randn(3, 40, 2, generator=generator)).detach()
    close = {"rtol": 1e-5, "atol": 1e-5, "check_dtype": False}
    torch.testing.assert_close(got.mean, plain.mean, **close)
    torch.testing.assert_close(got.log_std.exp().expand_as(got.mean), plain.stddev, **close)
    log_prob = policy.log_prob(inputs, actions)
    torch.testing.assert_close(log_prob, plain.log_prob(actions.double()), **close)
    run = policy.run(inputs, [t.data for t in policy.tensors])
    ratio = run.distribution.log_ratio(run.distribution.standardized(actions), log_prob.detach())
    assert ratio.abs().max() < 1e-5


@pytest.mark.parametrize("head", HEADS)
def test_score_gradient_equals_autograd(generator, head):
    policy = stack(head, generator)
    inputs = torch.randn(3, 40, 5, generator=generator).double()
    weights = torch.randn(3, 40, generator=generator).double()
    tensors, plain = exact(policy, inputs)
    actions = plain.mean.detach() + torch.randn(3, 40, 2, generator=generator)
    score = (plain.log_prob(actions) * weights).sum()
    entropy = plain.entropy().mean(-1).sum()
    expected = torch.autograd.grad(score, tensors, retain_graph=True)
    with_bonus = torch.autograd.grad(score + 0.3 * entropy, tensors)
    values = [t.detach() for t in tensors]
    run = policy.run(inputs, values)
    gradients = [torch.empty_like(t) for t in values]
    z = run.distribution.standardized(actions)
    policy.backward(run, z, weights, gradients, d_entropy=0.3)
    for got, want in zip(gradients, with_bonus, strict=True):
        assert (got - want).norm() < 1e-6 * want.norm()
    sums = policy.score_sums(inputs, actions, weights, values)
    flat = torch.cat([g.flatten(1) for g in expected], 1)
    assert ((sums - flat).norm(dim=1) < 1e-6 * flat.norm(dim=1)).all()


@pytest.mark.parametrize("head", HEADS)
def test_gradient_sums_equal_autograd(generator, head):
    policy = stack(head, generator, members=1)
    inputs, actions = torch.randn(11, 20, 5), torch.randn(11, 20, 2)
    weights = torch.randn(11, 20, generator=generator).double()
    got = gradient_sums(policy, inputs.numpy(), actions.numpy(), weights.numpy())
    for stream in range(11):
        tensors, plain = exact(policy, inputs[stream : stream + 1])
        total = (plain.log_prob(actions[stream : stream + 1].double()) * weights[stream]).sum()
        want = torch.cat([g.flatten() for g in torch.autograd.grad(total, tensors)])
        assert (torch.from_numpy(got[stream]) - want).norm() < 1e-5 * want.norm()  # float32


@pytest.mark.parametrize("head", HEADS)
def test_fisher_product_equals_the_explicit_fisher(generator, head):
    """F = ∇² of the mean KL to the policy itself, of a network of about 20 parameters."""
    policy = stack(head, generator, (2, 1), (4,), 1)
    inputs = torch.randn(1, 100, 2, generator=generator)
    _, start = exact(policy, inputs)
    old = Independent(Normal(start.mean.detach(), start.stddev.detach()), 1)
    tensors, new = exact(policy, inputs)
    kl = kl_divergence(old, new).mean()
    slopes = torch.autograd.grad(kl, tensors, create_graph=True)
    flat = torch.cat([g.flatten() for g in slopes])
    rows = [torch.autograd.grad(g, tensors, retain_graph=True) for g in flat]
    fisher = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    assert len(fisher) in (18, 22)
    product = policy.fisher_product(inputs)
    assert flat.abs().max() < 1e-12
    for _ in range(3):
        vector = torch.randn(policy.flat.shape, generator=generator)
        want = vector.double() @ fisher
        assert (product(vector) - want).norm() < 1e-5 * want.norm()


def test_a_clamped_log_std_has_no_gradient_outside_its_range():
    policy = GaussianPolicy(2, 1, (), std="state", log_std=5.0, log_std_range=(-1.0, 0.5))
    inputs, actions = torch.randn(1, 30, 2), torch.randn(1, 30, 1)
    assert policy.tensors[-1][0, 1] == 0.5  # the nearest that there is
    assert (policy.distribution(inputs).log_std <= 0.5).all()
    tensors = [t.data for t in policy.tensors]
    tensors[-1][0, 1] = 7.0
    assert (policy.distribution(inputs).log_std == 0.5).all()
    scores = policy.score_sums(inputs, actions, torch.ones(1, 30), tensors)
    weight, bias = policy.split(scores)
    assert (weight[..., 1] == 0).all() and (bias[..., 1] == 0).all()
    assert (weight[..., 0] != 0).all()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("log_std", [0.0, -0.7])
def test_log_std_is_the_initial_one(head, log_std):
    policy = GaussianPolicy(3, 2, (8,), 2, log_std=log_std, **HEADS[head])
    got = policy.distribution(torch.zeros(2, 1, 3)).log_std
    torch.testing.assert_close(got, torch.full(got.shape, log_std))


@pytest.mark.parametrize("head", HEADS)
def test_a_kind_is_plain_data_that_makes_the_same_policy(generator, head):
    policy = stack(head, generator)
    kind = json.loads(json.dumps(policy.kind()))
    assert kind == policy.kind()
    other = GaussianPolicy.of_kind(5, 2, 3, kind)
    other.load_flat(policy.flat)
    assert other.kind() == policy.kind() and other.head == policy.head
    inputs = torch.randn(3, 4, 5, generator=generator)
    a, b, c = (p.distribution(inputs) for p in (policy, other, policy.with_members(policy.flat)))
    assert torch.equal(a.mean, b.mean) and torch.equal(a.log_std, b.log_std)
    assert torch.equal(a.mean, c.mean) and torch.equal(a.log_std, c.log_std)


def test_what_a_kind_leaves_out_is_the_default():
    assert GaussianPolicy.of_kind(3, 1, 2, {}).kind() == GaussianPolicy(3, 1).kind()
    assert GaussianPolicy.of_kind(3, 1, 2, {"std": "state"}).head.std_map == "clamp"
    with pytest.raises(ValueError, match=r"kind: expected keys among .* got 'stdd'"):
        GaussianPolicy.of_kind(3, 1, 1, {"stdd": "state"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": "fixed"}, "std: expected one of free, state"),
        ({"std_map": "exp"}, "std_map: expected one of clamp, softplus"),
        ({"mean_map": "sine"}, "mean_map: expected one of tanh"),
        ({"log_std_range": (1.0, 0.0)}, "log_std_range: expected two numbers"),
        ({"log_std_range": (1.0,)}, "log_std_range: expected two numbers"),
        ({"min_std": 0.0}, "min_std: expected a number > 0"),
    ],
)
def test_impossible_heads_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        GaussianPolicy(2, 1, **changes)


def test_mistakes_of_use_are_named():
    policy = GaussianPolicy(2, 1, std="state")
    with pytest.raises(ValueError, match="log_std: depends on the state"):
        _ = policy.log_std
    there = policy.distribution(torch.zeros(1, 5, 2))
    with pytest.raises(ValueError, match=r"actions: expected .* got \[1, 5, 2\]"):
        there.log_prob(torch.zeros(1, 5, 2))
    with pytest.raises(ValueError, match="new: expected means"):
        there.kl(policy.distribution(torch.zeros(1, 4, 2)))
