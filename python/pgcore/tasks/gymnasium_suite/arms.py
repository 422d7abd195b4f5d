"""Arms and pendulums: InvertedPendulum, InvertedDoublePendulum, Reacher, Pusher."""

from __future__ import annotations

from pgcore.tasks.gymnasium_suite.parts import Parts, healthy, noise
from pgcore.tasks.term import Term


def inverted_pendulum(
    version: int,
    *,
    xml_file: str = "inverted_pendulum.xml",
    frame_skip: int = 2,
    reset_noise_scale: float = 0.01,
) -> Parts:
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale),
        observation=(Term.of("qpos"), Term.of("qvel")),
        reward=(healthy(version, 1.0),),
        termination=(
            Term.of("state_range", start=0),
            Term.of("qpos_range", index=1, low=-0.2, high=0.2, interval="closed"),
        ),
    )


def inverted_double_pendulum(
    version: int,
    *,
    xml_file: str = "inverted_double_pendulum.xml",
    frame_skip: int = 5,
    healthy_reward: float = 10.0,
    reset_noise_scale: float = 0.1,
) -> Parts:
    """The site is number 0 of the model, whatever its name."""
    force = Term.of("qfrc_constraint", clip=10.0)
    return Parts(
        xml_file,
        frame_skip,
        reset=noise(reset_noise_scale, velocity="gaussian"),
        observation=(
            Term.of("qpos", end=1),
            Term.of("sin_qpos", start=1),
            Term.of("cos_qpos", start=1),
            Term.of("qvel", clip=10.0),
            force if version == 4 else Term.of("qfrc_constraint", end=1, clip=10.0),
        ),
        reward=(
            healthy(version, healthy_reward),
            Term.of("site_cost", site=0, axis="x", weight=0.01),
            Term.of("site_cost", site=0, axis="z", weight=1.0, target=2.0),
            Term.of("velocity_cost", index=1, weight=1e-3),
            Term.of("velocity_cost", index=2, weight=5e-3),
        ),
        termination=(Term.of("site_range", site=0, axis="z", low=1.0),),
    )


def reacher(
    version: int,
    *,
    xml_file: str = "reacher.xml",
    frame_skip: int = 2,
    reward_dist_weight: float = 1.0,
    reward_control_weight: float = 1.0,
) -> Parts:
    """In v4 the reward is the distance before the step; v5 looks after it."""
    when = "before" if version == 4 else "after"
    axes = "xyz" if version == 4 else "xy"
    return Parts(
        xml_file,
        frame_skip,
        reset=(
            Term.of("uniform", target="qpos", scale=0.1, end=-2),
            Term.of("disc", start=-2, radius=0.2),
            Term.of("uniform", target="qvel", scale=0.005, end=-2),
        ),
        observation=(
            Term.of("cos_qpos", end=2),
            Term.of("sin_qpos", end=2),
            Term.of("qpos", start=2),
            Term.of("qvel", end=2),
            Term.of("body_position", body="fingertip", relative_to="target", axes=axes),
        ),
        reward=(
            Term.of(
                "distance_cost", weight=reward_dist_weight, body="fingertip", to="target", when=when
            ),
            Term.of("control_cost", weight=reward_control_weight),
        ),
    )


def pusher(
    version: int,
    *,
    xml_file: str = "pusher_v5.xml",
    frame_skip: int = 5,
    reward_near_weight: float = 0.5,
    reward_dist_weight: float = 1.0,
    reward_control_weight: float = 0.1,
) -> Parts:
    """The last four coordinates are the object's (y, x) and the goal's."""
    box = {"x_low": -0.3, "x_high": 0.0, "y_low": -0.2, "y_high": 0.2}
    return Parts(
        xml_file,
        frame_skip,
        reset=(
            Term.of("box_outside_disc", start=-4, radius=0.17, **box),
            Term.of("set", target="qpos", start=-2, value=0.0),
            Term.of("uniform", target="qvel", scale=0.005, end=-4),
        ),
        observation=(
            Term.of("qpos", end=7),
            Term.of("qvel", end=7),
            *(Term.of("body_position", body=name) for name in ("tips_arm", "object", "goal")),
        ),
        reward=(
            Term.of("distance_cost", weight=reward_dist_weight, body="object", to="goal"),
            Term.of("control_cost", weight=reward_control_weight),
            Term.of("distance_cost", weight=reward_near_weight, body="object", to="tips_arm"),
        ),
    )
