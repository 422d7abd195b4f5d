"""Networks as stacks of members: every tensor carries a leading member axis M."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pgcore.base.errors import check_choice, check_count, check_seed, check_type
from pgcore.base.memory import check_memory
from pgcore.base.threads import one_torch_thread
from pgcore.policies.mlp import ACTIVATIONS, mlp

INITIALIZATIONS = ("orthogonal", "xavier")
ZERO = "zero"  # for stacks whose rows are loaded
_SEED_STRIDE = 0x9E3779B97F4A7C15  # odd: distinct generators for every (seed, member)


def checked_widths(hidden: Any) -> tuple[int, ...]:
    """Widths of hidden layers, a sequence of integers."""
    check_type("hidden", hidden, tuple | list, "a sequence of layer widths, such as (64, 64)")
    return tuple(check_count("hidden", width) for width in hidden)


class StackedMlp(nn.Module):
    """M equal networks whose parameters are the rows of one tensor.

    ``flat`` [M, P] holds, for each layer, the weights [in, out] and the biases [out], then the
    extra values of a subclass. The parameters of the module are views of it, and so are their
    gradients (of ``flat_grad``): an optimiser or a study works on whole rows.

    Attributes:
        sizes: widths of all layers, input and output included.
        members: number of networks M.
        flat: [M, P] float32.
        flat_grad: [M, P], the gradients' storage.
    """

    extra = 0  # values per member behind the layers

    def __init__(
        self,
        sizes: Sequence[int],
        members: int,
        activation: str,
        init: str,
        output_gain: float,
        seed: int,
    ) -> None:
        super().__init__()
        check_seed("seed", seed)
        self.sizes = tuple(check_count("layer size", n) for n in sizes)
        self.members = check_count("members", members)
        self.activation = check_choice("activation", activation, list(ACTIVATIONS))
        count = sum((a + 1) * b for a, b in itertools.pairwise(self.sizes)) + self.extra
        needed = 16.0 * self.members * count
        check_memory("members", self.members, needed, "choose fewer, or smaller layers")
        self.flat = torch.zeros(members, count)
        self.flat_grad = torch.zeros(members, count)
        values, gradients = self.split(self.flat), self.split(self.flat_grad)
        self.tensors = nn.ParameterList([nn.Parameter(v) for v in values])
        for parameter, gradient in zip(self.tensors, gradients, strict=True):
            parameter.grad = gradient
        if init != ZERO:
            check_choice("init", init, INITIALIZATIONS)
            self._initialize(init, output_gain, seed)

    def split(self, flat: Tensor) -> list[Tensor]:
        """Views of rows [M, P]: weights and biases of each layer in turn, then the extra values."""
        views: list[Tensor] = []
        start = 0
        members = flat.shape[0]
        for a, b in itertools.pairwise(self.sizes):
            views.append(flat[:, start : start + a * b].view(members, a, b))
            start += a * b
            views.append(flat[:, start : start + b])
            start += b
        if self.extra:
            views.append(flat[:, start : start + self.extra])
        return views

    def _initialize(self, init: str, output_gain: float, seed: int) -> None:
        """Biases 0; weights from a generator per member, so that a member's do not depend on M."""
        weights = self.split(self.flat)[0 : self.layer_tensors : 2]
        with one_torch_thread():  # the factorisation behind "orthogonal" rounds by it
            for member in range(self.members):
                generator = torch.Generator().manual_seed((seed + member * _SEED_STRIDE) % 2**63)
                for layer, weight in enumerate(weights):
                    last = layer == len(weights) - 1
                    # torch's initialisers expect [out, in]
                    matrix = torch.empty(weight.shape[2], weight.shape[1])
                    if init == "orthogonal":
                        gain = output_gain if last else math.sqrt(2.0)
                        nn.init.orthogonal_(matrix, gain, generator=generator)
                    else:
                        nn.init.xavier_uniform_(matrix, generator=generator)
                    weight[member] = matrix.T

    def apply_network(self, x: Tensor, tensors: Sequence[Tensor] | None = None) -> Tensor:
        """Outputs [M, B, out] for inputs [M, B, in], with other parameters if ``tensors``."""
        tensors = list(self.tensors) if tensors is None else tensors
        return mlp(tensors[: self.layer_tensors], self.check_inputs(x, tensors), self.activation)

    def check_inputs(self, x: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        """``x`` in the dtype of the parameters; ValueError if it is not [M, B, in]."""
        if x.ndim != 3 or x.shape[0] != tensors[0].shape[0] or x.shape[2] != self.sizes[0]:
            expected = f"[{tensors[0].shape[0]}, B, {self.sizes[0]}]"
            raise ValueError(f"inputs: expected [M, B, O] = {expected}, got {list(x.shape)}")
        return x.to(tensors[0].dtype)

    @property
    def layer_tensors(self) -> int:
        """How many of the tensors belong to layers; the rest are a subclass's extra values."""
        return 2 * len(self.sizes) - 2

    def load_flat(self, flat: Tensor) -> None:
        """Take parameters [M, P] from elsewhere, copied."""
        check_type("flat", flat, Tensor, "a tensor [M, P]")
        if flat.shape != self.flat.shape:
            expected, got = list(self.flat.shape), list(flat.shape)
            raise ValueError(f"flat: expected [M, P] = {expected}, got {got}")
        with torch.no_grad():
            self.flat.copy_(flat)
