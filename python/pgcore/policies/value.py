"""Value networks as a stack."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pgcore.base.errors import check_count
from pgcore.policies.stack import ZERO, StackedMlp, checked_widths


class ValueNet(StackedMlp):
    """M value networks V_φ(s).

    Args:
        obs_dim: O of the task.
        hidden: widths of the hidden layers.
        members: number of networks M.
        activation, init, seed: as for :class:`GaussianPolicy`; the output gain is 1.
    """

    def __init__(
        self,
        obs_dim: int,
        hidden: Sequence[int] = (64, 64),
        members: int = 1,
        *,
        activation: str = "tanh",
        init: str = "orthogonal",
        seed: int = 0,
    ) -> None:
        hidden = checked_widths(hidden)
        super().__init__(
            (check_count("obs_dim", obs_dim), *hidden, 1), members, activation, init, 1.0, seed
        )
        self.obs_dim, self.hidden = obs_dim, tuple(hidden)

    def forward(self, inputs: Tensor) -> Tensor:
        """Values [M, B] for network inputs [M, B, O]."""
        return self.apply_network(inputs).squeeze(-1)

    def with_members(self, flat: Tensor) -> ValueNet:
        """A stack of the same kind of network with the rows of ``flat`` [M', P], copied."""
        other = ValueNet(
            self.obs_dim, self.hidden, len(flat), activation=self.activation, init=ZERO
        )
        other.load_flat(flat)
        return other
