"""The core in plain NumPy, written as in the sources and never optimised.

Every native function is tested against its twin here. Read this file to know what the native code
computes; use it to check a port.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F32, F64, Bool

U64 = NDArray[np.uint64]

# purposes of a draw
RESET_POSITION, RESET_VELOCITY, ACTION, RESET_PLACE = 0, 1, 2, 3
RESET_JOINT, RESET_ROTATION, RESET_BOX, RESET_MOCAP = 4, 5, 6, 7
_MASK = np.uint64(0xFFFFFFFF)


def philox4x32(counter: NDArray[Any], key: NDArray[Any]) -> U64:
    """Philox4x32-10: four 32-bit words per counter.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Args:
        counter: [..., 4] words below 2^32.
        key: [2] words below 2^32.

    Returns:
        [..., 4] words, as uint64.
    """
    c = [counter[..., i].astype(np.uint64) for i in range(4)]
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * c[0]
        product1 = np.uint64(0xCD9E8D57) * c[2]
        high0, high1 = product0 >> np.uint64(32), product1 >> np.uint64(32)
        c = [high1 ^ c[1] ^ k0, product1 & _MASK, high0 ^ c[3] ^ k1, product0 & _MASK]
        k0 = (k0 + np.uint64(0x9E3779B9)) & _MASK
        k1 = (k1 + np.uint64(0xBB67AE85)) & _MASK
    return np.stack(c, axis=-1)


def uniform(
    seed: int, stream_id: int, trajectory: int, steps: NDArray[Any], purpose: int, n: int
) -> F64:
    """Uniforms in [0, 1), [len(steps), n], of 53 bits: two per Philox block."""
    blocks = (n + 1) // 2
    counter = np.zeros((len(steps), blocks, 4), dtype=np.uint64)
    counter[..., 0] = (purpose << 24) | np.arange(blocks)
    counter[..., 1] = np.asarray(steps)[:, None]
    counter[..., 2] = trajectory
    counter[..., 3] = stream_id
    words = philox4x32(counter, np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint64))
    bits = (words[..., 0::2] << np.uint64(32)) | words[..., 1::2]
    unit = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return unit.reshape(len(steps), 2 * blocks)[:, :n]


def normal(
    seed: int, stream_id: int, trajectory: int, steps: NDArray[Any], purpose: int, n: int
) -> F64:
    """Standard normals [len(steps), n]: Box and Muller (1958) on the pairs of :func:`uniform`."""
    even = n + n % 2
    u = uniform(seed, stream_id, trajectory, steps, purpose, even)
    radius = np.sqrt(-2.0 * np.log1p(-u[:, 0::2]))
    angle = 2.0 * np.pi * u[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pairs.reshape(len(steps), even)[:, :n]


def gae(
    rewards: F64,
    values: F64,
    next_values: F64,
    terminated: Bool,
    truncated: Bool,
    gamma: float,
    lam: float,
) -> tuple[F64, F64]:
    """See :func:`pgcore.gae`."""
    advantages = np.zeros_like(rewards)
    for s in range(rewards.shape[0]):
        running = 0.0
        for t in reversed(range(rewards.shape[1])):
            next_value = 0.0 if terminated[s, t] else float(next_values[s, t])
            delta = rewards[s, t] + gamma * next_value - float(values[s, t])
            goes_on = not (terminated[s, t] or truncated[s, t])
            running = delta + gamma * lam * goes_on * running
            advantages[s, t] = running
    return advantages, advantages + values


def discounted_returns(
    rewards: F64,
    bootstrap: F64,
    terminated: Bool,
    truncated: Bool,
    gamma: float,
) -> F64:
    """See :func:`pgcore.discounted_returns`."""
    returns = np.zeros_like(rewards)
    for s in range(rewards.shape[0]):
        for t in reversed(range(rewards.shape[1])):
            last = t + 1 == rewards.shape[1]
            if terminated[s, t]:
                after = 0.0
            elif truncated[s, t] or last:
                after = bootstrap[s, t]
            else:
                after = returns[s, t + 1]
            returns[s, t] = rewards[s, t] + gamma * after
    return returns


def scale_rewards(rewards: F64, ended: Bool, gamma: float, clip: float | None) -> F64:
    """Rewards [T] of one stream divided by the running std of their discounted return."""
    scaled = np.zeros_like(rewards)
    seen: list[float] = []
    discounted = 0.0
    for t, reward in enumerate(rewards):
        discounted = gamma * discounted + reward
        seen.append(discounted)
        std = np.std(seen, ddof=1) if len(seen) > 1 else abs(discounted)
        scaled[t] = reward / (std + 1e-8)
        if ended[t]:
            discounted = 0.0
    return scaled if clip is None else np.clip(scaled, -clip, clip)


def mlp_mean(flat: F32, sizes: tuple[int, ...], activation: str, x: F32) -> F32:
    """Outputs [B, A] of one network whose parameters are the row ``flat`` [P], for x [B, O]."""
    import torch  # here, so that workers which need only the addresses load none

    from pgcore.policies.mlp import ACTIVATIONS

    start = 0
    for layer in range(len(sizes) - 1):
        a, b = sizes[layer], sizes[layer + 1]
        weight = flat[start : start + a * b].reshape(a, b)
        bias = flat[start + a * b : start + a * b + b]
        start += a * b + b
        x = x @ weight + bias
        if layer < len(sizes) - 2:
            x = ACTIVATIONS[activation].value(torch.from_numpy(x)).numpy()
    return x
