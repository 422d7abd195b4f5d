"""Ant, HalfCheetah, Hopper, Swimmer, Walker2d."""

from __future__ import annotations

from math import inf

from pgcore.tasks.gymnasium_suite.parts import (
    Interval,
    Parts,
    healthy,
    limits,
    noise,
    positions,
    unhealthy,
)
from pgcore.tasks.term import Term


def ant(
    version: int,
    *,
    xml_file: str = "ant.xml",
    frame_skip: int = 5,
    forward_reward_weight: float = 1.0,
    ctrl_cost_weight: float = 0.5,
    contact_cost_weight: float = 5e-4,
    healthy_reward: float = 1.0,
    main_body: int | str = 1,
    terminate_when_unhealthy: bool = True,
    healthy_z_range: Interval = (0.2, 1.0),
    contact_force_range: Interval = (-1.0, 1.0),
    reset_noise_scale: float = 0.1,
    exclude_current_positions_from_observation: bool = True,
    include_cfrc_ext_in_observation: bool = True,
    use_contact_forces: bool = False,
) -> Parts:
    ends, force = terminate_when_unhealthy, limits(contact_force_range)
    observation = [positions(2 * exclude_current_positions_from_observation), Term.of("qvel")]
    reward = [
        Term.of("body_velocity", weight=forward_reward_weight, axis="x", body=main_body),
        healthy(version, healthy_reward, ends),
        Term.of("control_cost", weight=ctrl_cost_weight),
    ]
    if version == 4 and use_contact_forces:
        observation.append(Term.of("cfrc_ext", **force))
    if version == 5 and include_cfrc_ext_in_observation:
        observation.append(Term.of("cfrc_ext", start=1, **force))
    if version == 5 or use_contact_forces:
        reward.append(Term.of("contact_cost", weight=contact_cost_weight, **force))
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale, velocity="gaussian"),
        observation=tuple(observation),
        reward=tuple(reward),
        termination=(
            unhealthy(ends, "state_range", start=0),
            unhealthy(ends, "qpos_range", index=2, interval="closed", **limits(healthy_z_range)),
        ),
    )


def half_cheetah(
    version: int,
    *,
    xml_file: str = "half_cheetah.xml",
    frame_skip: int = 5,
    forward_reward_weight: float = 1.0,
    ctrl_cost_weight: float = 0.1,
    reset_noise_scale: float = 0.1,
    exclude_current_positions_from_observation: bool = True,
) -> Parts:
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale, velocity="gaussian"),
        observation=(positions(exclude_current_positions_from_observation), Term.of("qvel")),
        reward=(
            Term.of("coordinate_velocity", weight=forward_reward_weight, index=0),
            Term.of("control_cost", weight=ctrl_cost_weight),
        ),
    )


def swimmer(
    version: int,
    *,
    xml_file: str = "swimmer.xml",
    frame_skip: int = 4,
    forward_reward_weight: float = 1.0,
    ctrl_cost_weight: float = 1e-4,
    reset_noise_scale: float = 0.1,
    exclude_current_positions_from_observation: bool = True,
) -> Parts:
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale),
        observation=(positions(2 * exclude_current_positions_from_observation), Term.of("qvel")),
        reward=(
            Term.of("coordinate_velocity", weight=forward_reward_weight, index=0),
            Term.of("control_cost", weight=ctrl_cost_weight),
        ),
    )


def hopper(
    version: int,
    *,
    xml_file: str = "hopper.xml",
    frame_skip: int = 4,
    forward_reward_weight: float = 1.0,
    ctrl_cost_weight: float = 1e-3,
    healthy_reward: float = 1.0,
    terminate_when_unhealthy: bool = True,
    healthy_state_range: Interval = (-100.0, 100.0),
    healthy_z_range: Interval = (0.7, inf),
    healthy_angle_range: Interval = (-0.2, 0.2),
    reset_noise_scale: float = 5e-3,
    exclude_current_positions_from_observation: bool = True,
) -> Parts:
    ends = terminate_when_unhealthy
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale),
        observation=(
            positions(exclude_current_positions_from_observation),
            Term.of("qvel", clip=10.0),
        ),
        reward=(
            Term.of("coordinate_velocity", weight=forward_reward_weight, index=0),
            healthy(version, healthy_reward, ends),
            Term.of("control_cost", weight=ctrl_cost_weight),
        ),
        termination=(
            unhealthy(ends, "state_range", start=2, **limits(healthy_state_range)),
            unhealthy(ends, "qpos_range", index=1, **limits(healthy_z_range)),
            unhealthy(ends, "qpos_range", index=2, **limits(healthy_angle_range)),
        ),
    )


def walker2d(
    version: int,
    *,
    xml_file: str = "walker2d_v5.xml",
    frame_skip: int = 4,
    forward_reward_weight: float = 1.0,
    ctrl_cost_weight: float = 1e-3,
    healthy_reward: float = 1.0,
    terminate_when_unhealthy: bool = True,
    healthy_z_range: Interval = (0.8, 2.0),
    healthy_angle_range: Interval = (-1.0, 1.0),
    reset_noise_scale: float = 5e-3,
    exclude_current_positions_from_observation: bool = True,
) -> Parts:
    parts = hopper(
        version,
        xml_file=xml_file,
        frame_skip=frame_skip,
        forward_reward_weight=forward_reward_weight,
        ctrl_cost_weight=ctrl_cost_weight,
        healthy_reward=healthy_reward,
        terminate_when_unhealthy=terminate_when_unhealthy,
        healthy_z_range=healthy_z_range,
        healthy_angle_range=healthy_angle_range,
        reset_noise_scale=reset_noise_scale,
        exclude_current_positions_from_observation=exclude_current_positions_from_observation,
    )
    return parts._replace(termination=parts.termination[1:])  # no range of the whole state
