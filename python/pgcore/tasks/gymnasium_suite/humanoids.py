"""Humanoid and HumanoidStandup."""

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


def _observation(
    version: int, skipped: int, cinert: bool, cvel: bool, qfrc_actuator: bool, cfrc_ext: bool
) -> tuple[Term, ...]:
    """v5 leaves out the world body, and the forces on the free joint, which are zero."""
    wanted = {"cinert": cinert, "cvel": cvel, "qfrc_actuator": qfrc_actuator, "cfrc_ext": cfrc_ext}
    names = [name for name, included in wanted.items() if included]
    if version == 4:
        return (positions(skipped), Term.of("qvel"), *(Term.of(name) for name in names))
    first = {name: 6 if name == "qfrc_actuator" else 1 for name in names}
    own = (Term.of(name, start=start) for name, start in first.items())
    return (positions(skipped), Term.of("qvel"), *own)


def humanoid(
    version: int,
    *,
    xml_file: str = "humanoid.xml",
    frame_skip: int = 5,
    forward_reward_weight: float = 1.25,
    ctrl_cost_weight: float = 0.1,
    contact_cost_weight: float = 5e-7,
    contact_cost_range: Interval = (-inf, 10.0),
    healthy_reward: float = 5.0,
    terminate_when_unhealthy: bool = True,
    healthy_z_range: Interval = (1.0, 2.0),
    reset_noise_scale: float = 1e-2,
    exclude_current_positions_from_observation: bool = True,
    include_cinert_in_observation: bool = True,
    include_cvel_in_observation: bool = True,
    include_qfrc_actuator_in_observation: bool = True,
    include_cfrc_ext_in_observation: bool = True,
) -> Parts:
    ends = terminate_when_unhealthy
    bounds = limits(contact_cost_range, "min", "max")
    contact = Term.of("contact_cost", weight=contact_cost_weight, **bounds)
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale),
        observation=_observation(
            version,
            2 * exclude_current_positions_from_observation,
            include_cinert_in_observation,
            include_cvel_in_observation,
            include_qfrc_actuator_in_observation,
            include_cfrc_ext_in_observation,
        ),
        reward=(
            Term.of("com_velocity", weight=forward_reward_weight, axis="x"),
            healthy(version, healthy_reward, ends),
            Term.of("control_cost", weight=ctrl_cost_weight),
            *((contact,) if version == 5 else ()),
        ),
        termination=(unhealthy(ends, "qpos_range", index=2, **limits(healthy_z_range)),),
    )


def humanoid_standup(
    version: int,
    *,
    xml_file: str = "humanoidstandup.xml",
    frame_skip: int = 5,
    uph_cost_weight: float = 1.0,
    ctrl_cost_weight: float = 0.1,
    impact_cost_weight: float = 0.5e-6,
    impact_cost_range: Interval = (-inf, 10.0),
    reset_noise_scale: float = 1e-2,
    exclude_current_positions_from_observation: bool = True,
    include_cinert_in_observation: bool = True,
    include_cvel_in_observation: bool = True,
    include_qfrc_actuator_in_observation: bool = True,
    include_cfrc_ext_in_observation: bool = True,
) -> Parts:
    """Gymnasium takes ``uph_cost_weight`` and does not use it; so does this."""
    bounds = limits(impact_cost_range, "min", "max")
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale),
        observation=_observation(
            version,
            2 * exclude_current_positions_from_observation,
            include_cinert_in_observation,
            include_cvel_in_observation,
            include_qfrc_actuator_in_observation,
            include_cfrc_ext_in_observation,
        ),
        reward=(
            Term.of("coordinate", weight=1.0, index=2, per="timestep"),
            Term.of("control_cost", weight=ctrl_cost_weight),
            Term.of("contact_cost", weight=impact_cost_weight, **bounds),
            Term.of("healthy", value=1.0, when="always"),
        ),
    )
