"""Running normalisation of observations and of rewards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64, Bool
from pgcore.base.errors import check_count, check_number, check_type, shown


@dataclass
class Normalizer:
    """Running mean and variance of the observations of a stack of members.

    The network input is ``clip((obs - mean) / (std + 1e-8), -clip, clip)`` with the unbiased
    standard deviation. In a study it is frozen; in training it follows the observations.

    Attributes:
        count: [M], observations seen.
        mean: [M, O].
        m2: [M, O], sums of squared deviations from the mean (Welford 1962).
        clip: bound of the normalised values; None: no bound.
    """

    count: F64
    mean: F64
    m2: F64
    clip: float | None = 10.0

    def __post_init__(self) -> None:
        for name, dims in (("count", 1), ("mean", 2), ("m2", 2)):
            array, wanted = getattr(self, name), f"a float64 array {('[M]', '[M, O]')[dims - 1]}"
            check_type(name, array, np.ndarray, wanted)
            if array.dtype != np.float64 or array.ndim != dims:
                got = f"{list(array.shape)} of {array.dtype}"
                raise TypeError(f"{name}: expected {wanted}, got {got}")
        if not (np.isfinite(self.count) & (self.count >= 0)).all():
            counts = shown(self.count.tolist())
            raise ValueError(f"count: expected finite numbers >= 0, got {counts}")
        shape = len(self.count), self.mean.shape[1]
        for name in ("mean", "m2"):
            if getattr(self, name).shape != shape:
                there = list(getattr(self, name).shape)
                raise ValueError(f"{name}: expected [M, O] = {list(shape)}, got {there}")
        if self.clip is not None:
            check_number("clip", self.clip, 0, above=True)

    def check_finite(self) -> None:
        """ValueError where what it has seen was not finite, so that no input is."""
        for name, least in (("mean", -np.inf), ("m2", 0.0)):
            values = getattr(self, name)
            if not (np.isfinite(values) & (values >= least)).all():
                wanted = "finite numbers" + (" >= 0" if name == "m2" else "")
                raise ValueError(
                    f"normalizer.{name}: expected {wanted}, got {shown(values.tolist())}"
                )

    @staticmethod
    def create(obs_dim: int, members: int = 1, clip: float | None = 10.0) -> Normalizer:
        """Statistics of nothing: inputs pass unchanged (but for the clipping)."""
        check_count("obs_dim", obs_dim)
        check_count("members", members)
        shape = (members, obs_dim)
        return Normalizer(np.zeros(members), np.zeros(shape), np.zeros(shape), clip)

    @staticmethod
    def frozen(mean: F64, scale: F64, clip: float | None = 10.0) -> Normalizer:
        """Statistics from elsewhere: inputs are ``clip((obs - mean) / scale, -clip, clip)``.

        Their count is 2, whatever it was there: they are not for going on with training.

        Args:
            mean, scale: [M, O], or [O] for one member.
            clip: bound of the normalised values; None: no bound.

        Raises:
            ValueError: a scale below 1e-8, which no standard deviation here gives, or not finite.
        """
        for name, values in (("mean", mean), ("scale", scale)):
            check_type(name, values, np.ndarray | list | tuple, "an array [M, O] or [O]")
        mean, scale = (np.atleast_2d(np.asarray(a, dtype=np.float64)) for a in (mean, scale))
        if mean.shape != scale.shape:
            raise ValueError(f"scale: expected {list(mean.shape)}, got {list(scale.shape)}")
        made = Normalizer.create(mean.shape[1], mean.shape[0], clip)
        for name, values, least in (("mean", mean, -np.inf), ("scale", scale, 1e-8)):
            bad = np.argwhere(~(np.isfinite(values) & (values >= least)))
            if len(bad):
                member, dimension = bad[0]
                got = values[member, dimension]
                wanted = "finite values" if name == "mean" else "finite values >= 1e-8"
                raise ValueError(
                    f"{name}: expected {wanted}, got {got:g} in dimension {dimension} "
                    f"of member {member}"
                )
        made.count[:] = 2.0
        made.mean[:] = mean
        made.m2[:] = np.square(scale - 1e-8)
        return made

    @property
    def members(self) -> int:
        """Number of members M."""
        return len(self.count)

    def copy(self) -> Normalizer:
        """An independent copy."""
        return Normalizer(self.count.copy(), self.mean.copy(), self.m2.copy(), self.clip)

    def select(self, members: I64 | slice) -> Normalizer:
        """The statistics of some members, copied."""
        return Normalizer(
            self.count[members].copy(),
            self.mean[members].copy(),
            self.m2[members].copy(),
            self.clip,
        )

    def inputs(self, obs: F64, member: int | I64 = 0) -> F32:
        """Network inputs of one member for observations [..., O]; the same bits as native.

        With an array of members [B], each of them for its own of the observations [B, O].
        """
        count = np.asarray(self.count[member])[..., None]
        std = np.sqrt(self.m2[member] / np.where(count > 1, count - 1, 1.0))
        scaled = (obs - self.mean[member]) / (np.where(count > 1, std, 1.0) + 1e-8)
        bound = np.inf if self.clip is None else self.clip
        inputs: F32 = np.clip(scaled, -bound, bound).astype(np.float32)
        return inputs

    def push(self, obs: F64, member: int | I64 = 0) -> None:
        """Update one member by one observation [O], or several [B], each by its own of [B, O]."""
        self.count[member] += 1.0
        before = obs - self.mean[member]
        self.mean[member] += before / np.asarray(self.count[member])[..., None]
        self.m2[member] += before * (obs - self.mean[member])

    def merge(self, obs: F64, member: int = 0) -> None:
        """Update one member by many observations [N, O] at once."""
        mean = obs.mean(axis=0)
        self.merge_moments(float(len(obs)), mean, np.square(obs - mean).sum(axis=0), member)

    def merge_moments(self, n: float, mean: F64, m2: F64, member: int = 0) -> None:
        """Update one member by the count, mean [O] and m2 [O] of other observations.

        Source: Chan, Golub and LeVeque 1979.
        """
        total = self.count[member] + n
        if total == 0:
            return
        delta = mean - self.mean[member]
        self.m2[member] += m2 + np.square(delta) * (self.count[member] * n / total)
        self.mean[member] += delta * (n / total)
        self.count[member] = total

    def native(self, live: bool) -> tuple[F64, F64, F64, float, bool]:
        """The form that the native core takes; with ``live`` it updates these arrays in place."""
        return self.count, self.mean, self.m2, self.clip or 0.0, live


@dataclass
class RewardScaler:
    """Divides rewards by the running std of the discounted return, without centring.

    The streams of a member share one scale: at every step the returns of all are counted, and then
    their rewards divided.

    Attributes:
        state: [M, 3 + S / M] for S streams of M members: count, mean and summed squared deviation
            of the running discounted returns, and the current one of each stream.
        gamma: discount of that return.
        clip: bound of the scaled rewards; None: no bound.
    """

    state: F64
    gamma: float = 0.99
    clip: float | None = 10.0

    @staticmethod
    def create(
        members: int, gamma: float = 0.99, clip: float | None = 10.0, streams: int = 1
    ) -> RewardScaler:
        """A scaler that has seen nothing, for ``streams`` streams of each member."""
        return RewardScaler(np.zeros((members, 3 + streams)), gamma, clip)

    def begin(self) -> None:
        """Start new trajectories in every stream; the statistics stay."""
        self.state[:, 3:] = 0.0

    def scale(self, rewards: F64, ended: Bool) -> F64:
        """Scaled rewards [S, T], member by member; updates the state at every step, in order."""
        return _core.scale_rewards(
            rewards=rewards, ended=ended, state=self.state, gamma=self.gamma, clip=self.clip or 0.0
        )


def reward_stds(state: NDArray[Any]) -> list[float]:
    """What rewards are divided by, from the state [M, ...] of their scaling.

    1 where it has seen none but equal ones, such as 0 of a task that pays late.
    """
    return [(math.sqrt(m2 / (n - 1)) if n > 1 else 0.0) or 1.0 for n, _, m2, *_ in state]
