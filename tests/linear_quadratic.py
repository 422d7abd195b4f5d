"""Closed forms of the linear-quadratic task, independent of the package's estimators.

State s = (x, y, vx, vy); one step of Euler's semi-implicit integrator with h = dt:
v' = v + h F/m, x' = x + h v'. The action a = W's + b + σ ε; the reward is a quadratic form of the
next state and the action. All expectations follow from first and second moments.
"""

import numpy as np

H, MASSES, HORIZON = 0.1, np.array([1.0, 2.0]), 20
POSITION, VELOCITY, CONTROL = 1.0, 0.1, 0.1

A = np.eye(4)
A[:2, 2:] = H * np.eye(2)
B = np.concatenate([H * H / MASSES * np.eye(2), H / MASSES * np.eye(2)])
COST = np.diag([POSITION, POSITION, VELOCITY, VELOCITY])
START = np.diag([1.0, 1.0, 0.25, 0.25])  # covariance of the reset


def split(flat):
    """W [4, 2], b [2] and σ [2] of a policy without hidden layers, float64."""
    flat = np.asarray(flat, dtype=np.float64)
    return flat[:8].reshape(4, 2), flat[8:10], np.exp(flat[10:12])


def action_values(flat, gamma, horizon=HORIZON):
    """Q_t(s, a) = -(z' M_t z) with z = (s, a, 1), and V_t(s) = -(y' N_t y) with y = (s, 1)."""
    W, b, sigma = split(flat)
    # z -> s' = A s + B a, and y' = (s', 1)
    step = np.zeros((5, 7))
    step[:4, :4], step[:4, 4:6], step[4, 6] = A, B, 1
    # y -> mean z under the policy; and the noise on its action part
    mean = np.zeros((7, 5))
    mean[:4, :4], mean[4:6, :4], mean[4:6, 4], mean[6, 4] = np.eye(4), W.T, b, 1
    N = np.zeros((5, 5))
    Qs, Vs = [], []
    for _ in range(horizon):
        cost = np.zeros((5, 5))
        cost[:4, :4] = COST
        M = step.T @ (cost + gamma * N) @ step
        M[4:6, 4:6] += CONTROL * np.eye(2)
        N = mean.T @ M @ mean
        N[4, 4] += (np.diagonal(M)[4:6] * sigma**2).sum()
        Qs.append(M)
        Vs.append(N)
    return Qs[::-1], Vs[::-1]


def moments(flat, horizon=HORIZON):
    """E[y y'] with y = (s, 1) at every step."""
    W, b, sigma = split(flat)
    closed = np.zeros((5, 5))
    closed[:4, :4], closed[:4, 4], closed[4, 4] = A + B @ W.T, B @ b, 1
    noise = np.zeros((5, 5))
    noise[:4, :4] = B @ np.diag(sigma**2) @ B.T
    second = np.zeros((5, 5))
    second[:4, :4], second[4, 4] = START, 1
    out = []
    for _ in range(horizon):
        out.append(second)
        second = closed @ second @ closed.T + noise
    return out


def mean_return(flat, gamma=1.0):
    """E of the return of a trajectory."""
    _, V = action_values(flat, gamma)
    return -float(np.trace(V[0] @ moments(flat)[0]))


def policy_gradient(flat, gamma):
    """Mean over the steps of a trajectory of E[∇ log π(a_t|s_t) R_t], in the order of flat."""
    W, b, sigma = split(flat)
    Q, _ = action_values(flat, gamma)
    total = np.zeros(12)
    for M, second in zip(Q, moments(flat), strict=True):
        mean = np.zeros((7, 5))
        mean[:4, :4], mean[4:6, :4], mean[4:6, 4], mean[6, 4] = np.eye(4), W.T, b, 1
        # E[∇_μ log π Q] = E[∇_a Q], linear in y; with y' it is the gradient by (W, b)
        slope = -2 * (M[4:6] @ mean) @ second  # [2, 5]
        total[:8] += slope[:, :4].T.reshape(-1)
        total[8:10] += slope[:, 4]
        # E[(ε² - 1) Q] = -2 σ² M_aa for a quadratic Q
        total[10:12] += -2 * sigma**2 * np.diagonal(M)[4:6]
    return total / len(Q)


def values_at(flat, states, steps_left, gamma):
    """V of states [N, 4] with that many steps left [N]."""
    _, V = action_values(flat, gamma)
    y = np.concatenate([states, np.ones((len(states), 1))], axis=1)
    return np.array([-(a @ V[HORIZON - n] @ a) for a, n in zip(y, steps_left, strict=True)])
