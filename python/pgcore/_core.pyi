from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pgcore.base.arrays import F32, F64, I64, Bool

Parameters = list[tuple[str, dict[str, float | str]]]
StreamStates = tuple[F64, I64, I64]
NormalizerState = tuple[F64, F64, F64, float, bool]

build: dict[str, Any]

class Task:
    def __init__(
        self,
        *,
        xml_path: str,
        frame_skip: int,
        time_limit: int,
        contact_margins: str,
        lowered: bool,
        reset: Parameters,
        observation: Parameters,
        reward: Parameters,
        termination: Parameters,
    ) -> None: ...
    @property
    def passes(self) -> list[str]: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def obs_dim(self) -> int: ...
    @property
    def act_dim(self) -> int: ...
    @property
    def dt(self) -> float: ...
    @property
    def nq(self) -> int: ...
    @property
    def na(self) -> int: ...
    @property
    def nv(self) -> int: ...
    @property
    def integration_size(self) -> int: ...
    def model_bytes(self) -> bytes: ...
    def observation_table(self) -> list[tuple[str, str]]: ...
    def state_size(self) -> int: ...
    def action_table(self) -> list[tuple[str, float, float]]: ...
    def reward_formula(self) -> list[str]: ...
    def termination_rules(self) -> list[str]: ...
    def reset_rules(self) -> list[str]: ...

class Environments:
    def __init__(self, task: Task, count: int) -> None: ...
    def seed(self, *, mask: Bool, seeds: NDArray[Any], ids: I64) -> None: ...
    def reset(self, *, mask: Bool, obs: F64, num_threads: int) -> list[tuple[int, str]]: ...
    def step(
        self,
        *,
        actions: F64,
        action_map: str,
        obs: F64,
        rewards: F64,
        terminated: Bool,
        truncated: Bool,
        diverged: Bool,
        final_obs: F64 | None,
        num_threads: int,
    ) -> list[tuple[int, str]]: ...
    def states(self) -> F64: ...

def clock_address() -> int: ...
def keep_quiet(quiet: bool) -> bool: ...
def philox4x32(counter: Sequence[int], key: Sequence[int]) -> list[int]: ...
def uniform(seed: int, stream_id: int, trajectory: int, step: int, purpose: int, n: int) -> F64: ...
def normal(seed: int, stream_id: int, trajectory: int, step: int, purpose: int, n: int) -> F64: ...
def policy_outputs(
    *, params: F32, sizes: Sequence[int], kind: dict[str, Any], inputs: F32
) -> tuple[F32, F64]: ...
def activate(activation: str, values: F32) -> F32: ...
def collect(
    *,
    task: Task,
    params: F32,
    sizes: Sequence[int],
    kind: dict[str, Any],
    member: NDArray[Any],
    stream_ids: NDArray[Any],
    seed: int,
    deterministic: bool,
    action_map: str,
    num_threads: int,
    normalizer: NormalizerState | None,
    steps: int,
    watch: bool,
    start: StreamStates | None,
    keep_end: bool,
    keep_states: bool,
) -> dict[str, Any]: ...
def evaluate(
    *,
    task: Task,
    params: F32,
    sizes: Sequence[int],
    kind: dict[str, Any],
    member: NDArray[Any],
    stream_ids: NDArray[Any],
    seed: int,
    deterministic: bool,
    action_map: str,
    num_threads: int,
    normalizer: NormalizerState | None,
    pairs: int,
    gamma: float,
) -> dict[str, Any]: ...
def branch(
    *,
    task: Task,
    params: F32,
    sizes: Sequence[int],
    kind: dict[str, Any],
    member: NDArray[Any],
    stream_ids: NDArray[Any],
    seed: int,
    deterministic: bool,
    action_map: str,
    num_threads: int,
    normalizer: NormalizerState | None,
    at: NDArray[Any],
    seeds: NDArray[Any],
    first: NDArray[Any],
    tail: int,
    gamma: float,
    limited: bool,
    keep_rewards: bool,
) -> dict[str, Any]: ...
def replay(
    *, task: Task, qpos: F64, qvel: F64, actions: F64, num_threads: int
) -> dict[str, Any]: ...
def gae(
    *,
    rewards: NDArray[Any],
    values: NDArray[Any],
    next_values: NDArray[Any],
    terminated: NDArray[Any],
    truncated: NDArray[Any],
    gamma: float,
    lam: float,
) -> tuple[F64, F64]: ...
def discounted_returns(
    *,
    rewards: NDArray[Any],
    bootstrap: NDArray[Any],
    terminated: NDArray[Any],
    truncated: NDArray[Any],
    gamma: float,
) -> F64: ...
def scale_rewards(
    *, rewards: NDArray[Any], ended: NDArray[Any], state: F64, gamma: float, clip: float
) -> F64: ...
