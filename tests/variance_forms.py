"""The variance of a trajectory's gradient on the linear-quadratic task: closed forms, and force.

Given state and action, the variance of the return is a quadratic form, because R_t - Q_t is a sum
of martingale differences Q_k(s_k, a_k) - V_k(s_k). What remains is an expectation of polynomials of
six normal variables, of degree 8 at most in each: Gauss-Hermite nodes give it exactly.
"""

import itertools

import numpy as np

import linear_quadratic as lq

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)  # exact up to degree 9
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def _grid(dims):
    points = np.array(list(itertools.product(NODES, repeat=dims)))
    weights = np.array([np.prod(w) for w in itertools.product(WEIGHTS, repeat=dims)])
    return points, weights


def rest_variances(flat, gamma):
    """Y_t with Var(R_t | s, a) = z' Y_t z, z = (s, a, 1)."""
    W, b, sigma = lq.split(flat)
    step = np.zeros((5, 7))
    step[:4, :4], step[:4, 4:6], step[4, 6] = lq.A, lq.B, 1
    mean = np.zeros((7, 5))
    mean[:4, :4], mean[4:6, :4], mean[4:6, 4], mean[6, 4] = np.eye(4), W.T, b, 1
    S, D, out = np.diag(sigma**2), np.zeros((5, 5)), []
    for M in lq.action_values(flat, gamma)[0][::-1]:
        Y = gamma**2 * step.T @ D @ step
        slope = M[4:6] @ mean
        D = mean.T @ Y @ mean + 4 * slope.T @ S @ slope
        D[4, 4] += np.trace(Y[4:6, 4:6] @ S) + 2 * np.trace(M[4:6, 4:6] @ S @ M[4:6, 4:6] @ S)
        out.append(Y)
    return out[::-1]


def closed_parts(flat, gamma):
    """Sums over the steps of a trajectory: states, actions and rest without a baseline, and best,
    what the best state baseline leaves to all three."""
    W, b, sigma = lq.split(flat)
    x, weights = _grid(4)
    eps, chance = _grid(2)
    Q, _ = lq.action_values(flat, gamma)
    square = lq.HORIZON * np.square(lq.policy_gradient(flat, gamma)).sum()
    total = np.zeros(4)
    for M, Y, second in zip(Q, rest_variances(flat, gamma), lq.moments(flat), strict=True):
        m = second[:4, 4]
        values, vectors = np.linalg.eigh(second[:4, :4] - np.outer(m, m))
        s = m + (x * np.sqrt(np.maximum(values, 0))) @ vectors.T  # [n, 4]
        a = (s @ W + b)[:, None] + sigma * eps  # [n, k, 2]
        z = np.concatenate([np.repeat(s[:, None], len(eps), 1), a, np.ones((*a.shape[:2], 1))], -1)
        q, spread = -((z @ M) * z).sum(-1), ((z @ Y) * z).sum(-1)
        score = _scores(np.broadcast_to(s[:, None], (*a.shape[:2], 4)), eps[None], sigma)
        size = np.square(score).sum(-1)
        mean = ((chance * q)[:, None] @ score)[:, 0]
        given_state = np.square(mean).sum(-1)
        own, rest = (size * q**2) @ chance, (size * spread) @ chance
        gain = np.square((size * q) @ chance) / (size @ chance)
        total += [weights @ v for v in (given_state, own - given_state, rest, own + rest - gain)]
    total[[0, 3]] -= square
    return dict(zip(("states", "actions", "rest", "best"), total, strict=True))


def _scores(s, eps, sigma):
    y = np.concatenate([s, np.ones((*s.shape[:-1], 1))], -1)
    noise = np.broadcast_to(eps, (*s.shape[:-1], 2))
    of_mean = (y[..., None] * (noise / sigma)[..., None, :]).reshape(*s.shape[:-1], 10)
    return np.concatenate([of_mean, noise**2 - 1], -1)


def simulated(flat, gamma, count, baseline, seed=0):
    """tr Σ and the pairs' own part of ``count`` trajectories in NumPy alone, with a baseline."""
    W, b, sigma = lq.split(flat)
    draw = np.random.Generator(np.random.Philox(key=seed)).standard_normal
    s = draw((count, 4)) * np.sqrt(np.diagonal(lq.START))
    scores, values, rewards = [], [], []
    for _ in range(lq.HORIZON):
        eps = draw((count, 2))
        a = s @ W + b + sigma * eps
        scores.append(_scores(s, eps, sigma))
        values.append(baseline(s))
        s = s @ lq.A.T + a @ lq.B.T
        rewards.append(-((s @ lq.COST) * s).sum(1) - lq.CONTROL * np.square(a).sum(1))
    returns, G, square = np.zeros(count), np.zeros((count, 12)), 0.0
    for score, value, reward in zip(scores[::-1], values[::-1], rewards[::-1], strict=True):
        returns = reward + gamma * returns
        g = score * (returns - value)[:, None]
        G += g
        square += np.square(g).sum(1).mean()
    mean = G.mean(0)
    return np.square(G - mean).sum(1).mean(), square - np.square(mean).sum() / lq.HORIZON
