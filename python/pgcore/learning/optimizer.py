"""Adam over the rows of a stack, and the one place that knows its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SLOTS = ("exp_avg", "exp_avg_sq", "step")


class Adam:
    """Adam of the parameters of M members.

    m ← β₁ m + (1-β₁) g, v ← β₂ v + (1-β₂) g², θ ← θ - η (m / (1-β₁ᵗ)) / (√(v / (1-β₂ᵗ)) + ε).
    It calls the kernel of ``torch.optim.Adam(fused=True)`` and gives its bits. Around that kernel
    torch's class spends three times the kernel's own time, on a small stack at every minibatch.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.

    Attributes:
        flat: [M, P] float32, the parameters, changed in place.
        flat_grad: [M, P], where :meth:`step` reads the gradients.
        lr: η.
        eps: ε.
        exp_avg, exp_avg_sq: [M, P], m and v.
        count: [M], t of each member.
    """

    def __init__(self, flat: Tensor, flat_grad: Tensor, lr: float, eps: float = 1e-8) -> None:
        self.flat, self.flat_grad, self.lr, self.eps = flat, flat_grad, lr, eps
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(flat), torch.zeros_like(flat)
        self.count = torch.zeros(len(flat))

    def step(self, members: Sequence[int] | None = None) -> None:
        """One step down the gradients.

        Args:
            members: those that take it, each as it would alone; None: all, which have taken
                equally many.
        """
        tensors = (self.flat, self.flat_grad, self.exp_avg, self.exp_avg_sq)
        if members is None:
            self.count += 1
            self._call([[t] for t in (*tensors, self.count[0])])
        else:
            self.count[list(members)] += 1
            self._call([[t[m] for m in members] for t in (*tensors, self.count)])

    def _call(self, tensors: list[list[Tensor]]) -> None:
        """The kernel, on parameters, gradients, m, v and t of one or several tensors."""
        flat, flat_grad, exp_avg, exp_avg_sq, count = tensors
        torch._fused_adam_(
            flat,
            flat_grad,
            exp_avg,
            exp_avg_sq,
            [],
            count,
            lr=self.lr,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of what :data:`SLOTS` names, each with a leading member axis."""
        return {
            "exp_avg": self.exp_avg.numpy().copy(),
            "exp_avg_sq": self.exp_avg_sq.numpy().copy(),
            "step": self.count.numpy().astype(np.float64),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from :meth:`state`, copied."""
        self.exp_avg.copy_(torch.from_numpy(state["exp_avg"]))
        self.exp_avg_sq.copy_(torch.from_numpy(state["exp_avg_sq"]))
        self.count.copy_(torch.from_numpy(state["step"]))
