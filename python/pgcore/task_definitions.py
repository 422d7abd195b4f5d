"""The built-in tasks.

The Gymnasium MuJoCo tasks, from the models of the installed gymnasium package. ``-v2`` are the
tasks of the paper: v4 with the contact margins of MuJoCo before 3.5; Humanoid-v2 has an impact cost
that v4 lacks, and Humanoid-v2-zero-forces neither that nor contact forces: MuJoCo 2.0 under mujoco-py
returned zeros for them (openai/gym#1541), and which of the two the paper ran is not known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pgcore.tasks import TaskSpec, Term

_UNHEALTHY_HOPPER = (
    Term.of("state_range", start=2, low=-100.0, high=100.0),
    Term.of("qpos_range", index=1, low=0.7),
    Term.of("qpos_range", index=2, low=-0.2, high=0.2),
)
_UNHEALTHY_WALKER = (
    Term.of("qpos_range", index=1, low=0.8, high=2.0),
    Term.of("qpos_range", index=2, low=-1.0, high=1.0),
)


def _uniform(scale: float) -> tuple[Term, ...]:
    return (
        Term.of("uniform", target="qpos", scale=scale),
        Term.of("uniform", target="qvel", scale=scale),
    )


def _runner_reward(control_weight: float, healthy: str) -> tuple[Term, ...]:
    return (
        Term.of("coordinate_velocity", weight=1.0, index=0),
        Term.of("healthy", value=1.0, when=healthy),
        Term.of("control_cost", weight=control_weight),
    )


_HOPPER_V4 = TaskSpec(
    id="Hopper-v4",
    xml="hopper.xml",
    frame_skip=4,
    time_limit=1000,
    reset=_uniform(5e-3),
    observation=(Term.of("qpos", start=1), Term.of("qvel", clip=10.0)),
    reward=_runner_reward(1e-3, "always"),
    termination=_UNHEALTHY_HOPPER,
    gymnasium_id="Hopper-v4",
    note="one leg, hops forward",
)
_WALKER_V4 = replace(
    _HOPPER_V4,
    id="Walker2d-v4",
    xml="walker2d.xml",
    termination=_UNHEALTHY_WALKER,
    gymnasium_id="Walker2d-v4",
    note="two legs in a plane, walks forward",
)
_CHEETAH_V4 = TaskSpec(
    id="HalfCheetah-v4",
    xml="half_cheetah.xml",
    frame_skip=5,
    time_limit=1000,
    reset=(
        Term.of("uniform", target="qpos", scale=0.1),
        Term.of("gaussian", target="qvel", scale=0.1),
    ),
    observation=(Term.of("qpos", start=1), Term.of("qvel")),
    reward=(
        Term.of("coordinate_velocity", weight=1.0, index=0),
        Term.of("control_cost", weight=0.1),
    ),
    gymnasium_id="HalfCheetah-v4",
    note="two legs in a plane, runs forward, never terminates",
)
_HUMANOID_V4 = TaskSpec(
    id="Humanoid-v4",
    xml="humanoid.xml",
    frame_skip=5,
    time_limit=1000,
    reset=_uniform(1e-2),
    observation=(
        Term.of("qpos", start=2),
        Term.of("qvel"),
        Term.of("cinert"),
        Term.of("cvel"),
        Term.of("qfrc_actuator"),
        Term.of("cfrc_ext"),
    ),
    reward=(
        Term.of("com_velocity", weight=1.25, axis="x"),
        Term.of("healthy", value=5.0, when="always"),
        Term.of("control_cost", weight=0.1),
    ),
    termination=(Term.of("qpos_range", index=2, low=1.0, high=2.0),),
    gymnasium_id="Humanoid-v4",
    note="a 3-D humanoid, walks forward",
)
_FORCES = 84  # entries of cfrc_ext: 14 bodies, the world among them
_CONTACT_COST = Term.of("contact_cost", weight=5e-7, max=10.0)
_HUMANOID_V5 = replace(
    _HUMANOID_V4,
    id="Humanoid-v5",
    observation=(
        Term.of("qpos", start=2),
        Term.of("qvel"),
        Term.of("cinert", start=1),
        Term.of("cvel", start=1),
        Term.of("qfrc_actuator", start=6),
        Term.of("cfrc_ext", start=1),
    ),
    reward=(
        Term.of("com_velocity", weight=1.25, axis="x"),
        Term.of("healthy", value=5.0, when="healthy"),
        Term.of("control_cost", weight=0.1),
        _CONTACT_COST,
    ),
    gymnasium_id="Humanoid-v5",
)

# The known answer: value and policy gradient of a linear policy have closed forms here.
_LINEAR_QUADRATIC = TaskSpec(
    id="LinearQuadratic-v0",
    xml="linear_quadratic.xml",
    frame_skip=1,
    time_limit=20,
    reset=(
        Term.of("gaussian", target="qpos", scale=1.0),
        Term.of("gaussian", target="qvel", scale=0.5),
    ),
    observation=(Term.of("qpos"), Term.of("qvel")),
    reward=(
        Term.of("quadratic_state_cost", position=1.0, velocity=0.1),
        Term.of("control_cost", weight=0.1),
    ),
    note="two masses on slides, quadratic costs: value and gradient in closed form",
)


def _v2(spec: TaskSpec, **changes: Any) -> TaskSpec:
    """The paper's version of a task's v4."""
    values = {"id": spec.id.replace("v4", "v2"), "contact_margins": "max", **changes}
    return replace(spec, **values)


_ALL = (
    _v2(_HOPPER_V4, note="the paper's Hopper: v4 with the old contact margins"),
    _HOPPER_V4,
    replace(
        _HOPPER_V4,
        id="Hopper-v5",
        reward=_runner_reward(1e-3, "healthy"),
        gymnasium_id="Hopper-v5",
    ),
    _v2(_WALKER_V4, note="the paper's Walker2d: equal to v4, whose model has no margins"),
    _WALKER_V4,
    replace(
        _WALKER_V4,
        id="Walker2d-v5",
        xml="walker2d_v5.xml",
        reward=_runner_reward(1e-3, "healthy"),
        gymnasium_id="Walker2d-v5",
    ),
    _CHEETAH_V4,
    replace(_CHEETAH_V4, id="HalfCheetah-v5", gymnasium_id="HalfCheetah-v5"),
    _v2(
        _HUMANOID_V4,
        reward=(*_HUMANOID_V4.reward, _CONTACT_COST),
        note="the paper's Humanoid: v4 with an impact cost and the old contact margins",
    ),
    _v2(
        _HUMANOID_V4,
        id="Humanoid-v2-zero-forces",
        observation=(*_HUMANOID_V4.observation[:-1], Term.of("zeros", count=_FORCES)),
        note="Humanoid-v2 where contact forces read as zero, so without impact cost",
    ),
    _HUMANOID_V4,
    _HUMANOID_V5,
    _LINEAR_QUADRATIC,
)

TASKS: dict[str, TaskSpec] = {spec.id: spec for spec in _ALL}
