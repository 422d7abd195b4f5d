"""What MuJoCo does to the simulation of a Gymnasium environment that blows up."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgcore.base.arrays import F64

LARGEST_STATE = 1e10  # mjMAXVAL: MuJoCo resets what is beyond it
_BAD_STATE, _BAD_CONTROLS = slice(3, 6), 6  # mjtWarning: BADQPOS, BADQVEL, BADQACC; BADCTRL


def is_finite_input(obs: F64) -> bool:
    """Whether an observation is finite as a network input, float32."""
    return bool((np.abs(obs) <= np.finfo(np.float32).max).all())  # NaN is not


class EngineWatch:
    """MuJoCo's warnings of one environment; without an ``mjData`` there are none.

    MuJoCo clears its counters when it resets a simulation by itself, and Gymnasium at every reset.

    Attributes:
        erased: warnings that the counters hold no longer, or never did.
    """

    def __init__(self, env: Any) -> None:
        data = getattr(env.unwrapped, "data", None)
        self.data = data if hasattr(data, "warning") else None
        self.erased = 0

    def listed(self) -> int:
        """What the counters hold."""
        return 0 if self.data is None else int(self.data.warning.number.sum())

    def keep(self) -> None:
        """Remember the warnings of a trajectory, ahead of the reset that clears them."""
        self.erased += self.listed()

    def is_sound(self) -> bool:
        """Whether MuJoCo would go on from the state."""
        if self.data is None:
            return True
        state = np.concatenate([self.data.qpos, self.data.qvel])
        return bool((np.abs(state) <= LARGEST_STATE).all())

    def has_diverged(self, listed: int) -> bool:
        """Whether the step ahead of which ``listed`` warnings were listed has blown up."""
        if self.data is None:
            return False
        number = self.data.warning.number
        if number[_BAD_STATE].any():
            self.erased += listed
            return True
        if number[_BAD_CONTROLS]:
            return True
        if self.is_sound():
            return False
        self.erased += 1  # MuJoCo would find it at the next step
        return True
