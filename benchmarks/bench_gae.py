"""Is the native GAE faster than a Python loop and than NumPy vectorised over streams?"""

from __future__ import annotations

import numpy as np
from timing import check, header, interleaved, report

import pgcore
from pgcore.base.arrays import F64, Bool
from pgcore.rollout import reference


def vectorised(
    rewards: F64, values: F64, after: F64, terminated: Bool, truncated: Bool
) -> tuple[F64, F64]:
    """GAE with one NumPy operation over all streams per step."""
    gamma, lam = 0.99, 0.95
    delta = rewards + gamma * after * ~terminated - values
    goes_on = gamma * lam * ~(terminated | truncated)
    advantages = np.empty_like(delta)
    running = np.zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        running = delta[:, t] + goes_on[:, t] * running
        advantages[:, t] = running
    return advantages, advantages + values


def main() -> None:
    header(__doc__)
    for streams, steps in ((1, 2048), (24, 2048), (512, 2048)):
        generator = np.random.default_rng(0)
        shape = (streams, steps)
        arrays = [generator.standard_normal(shape) for _ in range(3)]
        arrays += [generator.random(shape) < 0.01 for _ in range(2)]
        a, b = pgcore.gae(*arrays)[0], vectorised(*arrays)[0]
        check(np.allclose(a, b, rtol=1e-10, atol=1e-10), "GAE")
        functions = {
            "pgcore": lambda arrays=arrays: pgcore.gae(*arrays),
            "NumPy over streams": lambda arrays=arrays: vectorised(*arrays),
        }
        if streams <= 24:
            functions["Python loop"] = lambda arrays=arrays: reference.gae(*arrays, 0.99, 0.95)
        seconds = interleaved(functions, 7)
        report(f"{streams} streams x {steps} steps", seconds, streams * steps, "pair")


if __name__ == "__main__":
    main()
