"""Curvature: products and eigenpairs against dense matrices, closed forms, laws of chance."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.distributions import Independent, Normal, kl_divergence

import linear_quadratic as lq
import pgcore
from conftest import HEADS, make_policy
from pgcore.agent import Agent
from pgcore.studies.curvature.blocks import pairs_of, sampled_pairs
from pgcore.studies.curvature.cells import spectrum
from pgcore.studies.curvature.lanczos import TOLERANCE, leading
from pgcore.studies.curvature.products import fisher, gradient, hessian, trace_of_fisher
from pgcore.studies.measures.subspaces import (
    overlaps,
    shares_along,
    true_cosine,
    true_shares_along,
)
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import step_data


def small_agent(algorithm="ppo", hidden=(5,), **kinds):
    """On the linear-quadratic task, with few parameters and unequal standard deviations."""
    task = pgcore.make_task("LinearQuadratic-v0")
    policy = make_policy(task, 1, hidden, spread=0.4, log_std=-0.5, seed=3, **kinds)
    return Agent(task, policy, pgcore.ValueNet(4, (8,)), algorithm=algorithm)


def pairs_for(agent, n=300, **options):
    return sampled_pairs(agent, n, 0, 7, Sampling(), 1, **options)


def dense(agent, pairs, matrix):
    """Fisher matrix and Hessian by autograd from torch.distributions, on all pairs at once."""
    blocks = [pairs.block(i) for i in range(len(pairs.rows.blocks))]
    inputs, actions, advantages = (
        torch.cat([getattr(b, name) for b in blocks], 1)
        for name in ("inputs", "actions", "advantages")
    )
    theta = agent.policy.flat.double()

    def plain(flat):
        there = agent.policy.distribution(inputs, agent.policy.split(flat[None]))
        return Independent(Normal(there.mean, there.log_std.exp().expand_as(there.mean)), 1)

    old = plain(theta[0])

    def function(flat):
        new = plain(flat)
        if matrix == "fisher":
            return kl_divergence(old, new).mean()
        log_ratio = new.log_prob(actions) - old.log_prob(actions)
        if agent.algorithm.name == "a2c":
            return (log_ratio * advantages).mean()
        return (log_ratio.exp() * advantages).mean()  # within the clip of PPO, too

    return torch.autograd.functional.hessian(function, theta[0]).numpy()


CASES = [(head, "ppo", matrix) for head in HEADS for matrix in ("fisher", "hessian")]
CASES += [("free", name, "hessian") for name in ("trpo", "a2c")]


@pytest.mark.parametrize(("head", "algorithm", "matrix"), CASES)
def test_products_eigenpairs_and_traces_equal_the_dense_matrix(head, algorithm, matrix):
    agent = small_agent(algorithm, **HEADS[head])
    with pairs_for(agent) as pairs:
        expected = dense(agent, pairs, matrix)
        product = {"fisher": fisher, "hessian": hessian}[matrix](pairs)
        size = len(expected)
        whole = torch.stack([product(row) for row in torch.eye(size, dtype=torch.float64)]).numpy()
        # float64 sums over 300 pairs
        np.testing.assert_allclose(whole, expected, atol=1e-10 * np.abs(expected).max())
        found = spectrum(pairs, matrix, 6, seed=1)
        trace = trace_of_fisher(pairs)
    values = np.linalg.eigvalsh(expected)
    values = values[np.argsort(-np.abs(values))]
    vectors = found["eigenvector"]
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(6), atol=1e-10)
    residuals = np.linalg.norm(vectors @ expected - found["eigenvalue"][:, None] * vectors, axis=1)
    # the bound that is asked for, which is one of the eigenvalue's error, too
    assert (residuals <= TOLERANCE * np.abs(values[:6]) * (1 + 1e-6)).all()
    np.testing.assert_allclose(np.abs(found["eigenvalue"]), np.abs(values[:6]), rtol=TOLERANCE)
    if matrix == "fisher":
        np.testing.assert_allclose(trace, np.trace(expected), rtol=1e-12)
        assert float(found["trace"]) == trace and not found["trace_error"]
    # ten probes: an error of four standard errors, t with nine degrees, once in 300
    for name, exact in (("trace", values.sum()), ("square", (values**2).sum())):
        bound = 4 * float(found[f"{name}_error"]) + 1e-9
        assert abs(float(found[name]) - exact) <= bound, name


def test_the_gradient_is_the_closed_form_and_the_hessian_its_slope():
    """Of the algorithm's own gradient; and differences of gradients at other parameters."""
    agent = small_agent()
    data = step_data(agent, 200, [0], 5, Sampling(), 1)
    pairs = pairs_of(agent, data, 1)
    a = (data.advantages - data.advantages.mean()) / (data.advantages.std() + 1e-8)
    tensors = [t.data for t in agent.policy.tensors]
    expected = agent.policy.score_sums(data.inputs, data.actions, a / 200, tensors)[0]
    slope = gradient(pairs)
    assert (slope - expected).norm() < 1e-5 * slope.norm()  # the closed form is in float32
    step = 1e-4 * torch.randn(slope.shape, generator=torch.Generator().manual_seed(0)).double()
    theta = agent.policy.flat.double()[0]
    old = agent.policy.log_prob(
        data.inputs.double(), data.actions.double(), agent.policy.split(theta[None])
    )

    def slope_at(flat):
        flat = flat[None].requires_grad_()
        new = agent.policy.log_prob(
            data.inputs.double(), data.actions.double(), agent.policy.split(flat)
        )
        value = (torch.exp(new - old.detach()) * a.double()).mean()
        return torch.autograd.grad(value, flat)[0][0]

    difference = (slope_at(theta + step) - slope_at(theta - step)) / 2
    # a central difference leaves a third derivative, 1e-7 with such steps; a is float32
    assert (hessian(pairs)(step) - difference).norm() < 1e-5 * difference.norm()


def test_blocks_files_and_threads():
    """Blocks of any size equal one to rounding; a file and threads change no bit."""
    agent = small_agent()
    vector = torch.randn(agent.policy.flat.shape[1], dtype=torch.float64)
    found = {}
    for name, n, options in (
        ("one", 5000, {"size": 10_000}),
        ("blocks", 5000, {"size": 700}),
        ("file", 5000, {"size": 700, "memory": 30_000}),
        ("all of it in a file", 5000, {"size": 700, "memory": 0}),
    ):
        with pairs_for(agent, n, **options) as pairs:
            held = sum(isinstance(block, np.ndarray) for block in pairs.rows.blocks)
            assert held == {"one": 1, "blocks": 8, "file": 1}.get(name, 0)
            three = dataclasses.replace(pairs, num_threads=3)
            for product in (fisher, hessian):
                found[name, product] = product(pairs)(vector)
                assert torch.equal(product(three)(vector), found[name, product])
            found[name, gradient] = gradient(pairs)
    for product in (fisher, hessian, gradient):
        one, blocks = found["one", product], found["blocks", product]
        assert (one - blocks).norm() < 1e-13 * one.norm()  # float64 sums in another order
        assert not torch.equal(one, blocks)
        assert torch.equal(found["file", product], blocks)
        assert torch.equal(found["all of it in a file", product], blocks)


def test_a_linear_policy_has_the_closed_forms_of_the_linear_quadratic_task():
    """F is E[y yᵀ] / σ² of each action, y = (s, 1), and 2 of each log-std: known eigenvalues."""
    agent = small_agent("a2c", hidden=())
    flat = agent.policy.flat[0].double().numpy()
    second = np.mean(lq.moments(flat), axis=0)
    _, _, sigma = lq.split(flat)
    truth = np.concatenate([np.linalg.eigvalsh(second) / s**2 for s in sigma] + [[2.0, 2.0]])
    truth = np.sort(truth)[::-1]
    with pairs_for(agent, 40_000) as pairs:  # 20 streams of 2000 steps, whole trajectories
        found = spectrum(pairs, "fisher", 11, seed=2)
        assert pairs.trajectories == 2000
        trace = trace_of_fisher(pairs)
    # squares of a nearly normal state have a relative error of sqrt(2 / 2000), correlated in time
    np.testing.assert_allclose(found["eigenvalue"], truth[:11], rtol=0.1)
    assert trace == pytest.approx(truth.sum(), rel=0.1)
    assert np.abs(found["eigenvalue"] - 2).min() < 1e-7  # log-stds, exactly and twice
    assert np.sum(np.abs(found["eigenvalue"] - 2) < 1e-7) == 2


def test_a_linear_policys_hessian_is_the_closed_form():
    """∇² log π of a Gaussian with a linear mean, weighted with the advantages."""
    agent = small_agent("a2c", hidden=())
    with pairs_for(agent) as pairs:
        block = pairs.block(0)
        mine = hessian(pairs)
        whole = torch.stack([mine(row) for row in torch.eye(12, dtype=torch.float64)]).numpy()
    W, b, sigma = lq.split(agent.policy.flat[0].double().numpy())
    s, a, weight = (x[0].numpy() for x in (block.inputs, block.actions, block.advantages))
    z = (a - s @ W - b) / sigma
    y = np.concatenate([s, np.ones((len(s), 1))], axis=1)
    expected = np.zeros((12, 12))
    for j in range(2):
        own = [*(i * 2 + j for i in range(4)), 8 + j]  # weights [4, 2] and bias of this action
        expected[np.ix_(own, own)] = -(y * weight[:, None]).T @ y / sigma[j] ** 2 / len(s)
        cross = -2 * (weight * z[:, j]) @ y / sigma[j] / len(s)
        expected[own, 10 + j] = expected[10 + j, own] = cross
        expected[10 + j, 10 + j] = -2 * np.mean(weight * z[:, j] ** 2)
    np.testing.assert_allclose(whole, expected, atol=1e-12 * np.abs(expected).max())


def symmetric(values, seed=0):
    """A matrix of given eigenvalues, and its product."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values),) * 2))[0]
    matrix = torch.from_numpy((basis * values) @ basis.T)
    return matrix, lambda v: matrix @ v


def test_leading_eigenpairs_equal_those_of_scipy():
    values = np.random.default_rng(1).uniform(-1, 1, 400)  # with small gaps
    matrix, product = symmetric(values)
    for tolerance in (1e-2, 1e-4, 1e-9):
        found = leading(product, 8, 400, seed=0, tolerance=tolerance)
        residual = (found.vectors @ matrix - found.values[:, None] * found.vectors).norm(dim=1)
        assert (residual <= tolerance * found.values.abs()).all()
    operator = LinearOperator((400, 400), matvec=lambda v: matrix.numpy() @ v, dtype=np.float64)
    theirs, vectors = eigsh(operator, k=8, which="LM", tol=1e-10)
    order = np.argsort(-np.abs(theirs))
    np.testing.assert_allclose(found.values, theirs[order], rtol=1e-9)
    # of the same lines, to tolerance over gap
    np.testing.assert_allclose(
        np.abs(found.vectors.numpy() @ vectors[:, order]), np.eye(8), atol=1e-6
    )
    assert found.products < 400


@pytest.mark.parametrize(
    "values",
    [
        [*[3.0] * 4, *[-2.0] * 3, *np.linspace(-1, 0.99, 193)],  # several times
        [*[2.0] * 12, *np.linspace(0, 1, 88)],  # more often than asked for
        [5.0, -4.0, *[0.0] * 98],  # of rank two
        [0.0] * 50,
        [*np.linspace(1, 2, 9)],  # fewer than a basis
    ],
)
def test_leading_eigenpairs_of_awkward_matrices(values):
    values = np.array(values)
    matrix, product = symmetric(values)
    k = min(8, len(values) - 1)
    found = leading(product, k, len(values), seed=0)
    expected = values[np.argsort(-np.abs(values), kind="stable")][:k]
    scale = np.abs(values).max()
    np.testing.assert_allclose(np.sort(found.values), np.sort(expected), atol=TOLERANCE * scale)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(k), atol=1e-10)
    residual = (found.vectors @ matrix - found.values[:, None] * found.vectors).norm(dim=1)
    assert (residual <= TOLERANCE * scale).all()


def test_a_product_that_is_not_finite_is_an_error():
    with pytest.raises(ArithmeticError, match="curvature: a product is not finite"):
        leading(lambda v: v * np.nan, 2, 30, seed=0)


def test_shares_and_overlaps_follow_chance_and_geometry():
    generator = np.random.default_rng(0)
    P, k = 200, 6

    def subspace():
        return np.linalg.qr(generator.standard_normal((P, k)))[0].T

    U = subspace()
    shares = shares_along(U, generator.standard_normal((4000, P))).sum(axis=0)
    # Beta((P-k)/2, k/2): variance 2 k (P-k) / P² (P+2)
    error = np.sqrt(2 * k * (P - k) / P**2 / (P + 2) / 4000)
    assert abs(shares.mean() - k / P) < 4 * error
    inside = generator.standard_normal((3, k)) @ U
    np.testing.assert_allclose(shares_along(U, inside).sum(axis=0), 1, rtol=1e-12)
    assert np.isnan(shares_along(U, np.zeros((1, P)))).all()
    rotated = np.linalg.qr(generator.standard_normal((k, k)))[0] @ U  # the same span
    np.testing.assert_allclose(
        overlaps(np.stack([U, rotated])[:, None].repeat(2, 1)), 1, rtol=1e-12
    )
    random = np.stack([subspace() for _ in range(100)]).reshape(50, 2, k, P)
    found = overlaps(random)
    assert abs(found.mean() - k / P) < 0.1 * k / P  # 1275 pairs of each four: an error of 0.5 %
    np.testing.assert_allclose(found, found.T, rtol=1e-12)
    # a moment with itself: one half with the other, never a half with itself
    np.testing.assert_allclose(np.diagonal(found).mean(), k / P, rtol=0.3)


def test_noise_is_removed_from_the_share_of_the_true_gradient():
    """A share of 0.3, in noise of a quarter of its square (cosine 0.8) of which 0.8 is inside."""
    generator = np.random.default_rng(1)
    P, k, repeats = 200, 5, 4000
    U = np.eye(P)[:k]
    g = np.concatenate([np.full(k, np.sqrt(0.3 / k)), np.full(P - k, np.sqrt(0.7 / (P - k)))])
    scale = np.concatenate([np.full(k, np.sqrt(0.2 / k)), np.full(P - k, np.sqrt(0.05 / (P - k)))])
    halves = g + scale * generator.standard_normal((repeats, 2, P))
    naive = np.median([shares_along(U, h.mean(axis=0)[None]).sum() for h in halves])
    assert naive > 0.33
    assert np.mean([true_cosine(h) for h in halves]) == pytest.approx(0.8, abs=0.02)
    each = np.array([true_shares_along(U, h).sum() for h in halves])
    # a ratio is skewed: its median is 0.29 here; errors of the median are 0.003
    assert np.median(each) == pytest.approx(0.3, abs=0.02)
    exact = np.stack([g, g])
    np.testing.assert_allclose(true_shares_along(U, exact).sum(), 0.3, rtol=1e-12)
    assert true_cosine(exact) == pytest.approx(1)
    assert np.isnan(true_shares_along(U, np.stack([g, -g]))).all()
