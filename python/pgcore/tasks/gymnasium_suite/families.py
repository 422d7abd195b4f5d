"""The table of Gymnasium's MuJoCo environments, and their definitions."""

from __future__ import annotations

from typing import Any

from pgcore.tasks.gymnasium_suite import arms, humanoids, runners
from pgcore.tasks.gymnasium_suite.parts import Family
from pgcore.tasks.task import TaskSpec

_MODEL = ("xml_file", "frame_skip")

FAMILIES = {
    "Ant": Family(
        runners.ant,
        "four legs, walks forward",
        only_v5=(
            "frame_skip",
            "forward_reward_weight",
            "main_body",
            "include_cfrc_ext_in_observation",
        ),
        only_v4=("use_contact_forces",),
        v4_values={"main_body": "torso"},
    ),
    "HalfCheetah": Family(
        runners.half_cheetah, "two legs in a plane, runs forward, never terminates", only_v5=_MODEL
    ),
    "Hopper": Family(runners.hopper, "one leg, hops forward", only_v5=_MODEL),
    "Humanoid": Family(
        humanoids.humanoid,
        "a 3-D humanoid, walks forward",
        only_v5=(
            *_MODEL,
            "contact_cost_weight",
            "contact_cost_range",
            "include_cinert_in_observation",
            "include_cvel_in_observation",
            "include_qfrc_actuator_in_observation",
            "include_cfrc_ext_in_observation",
        ),
    ),
    "HumanoidStandup": Family(
        humanoids.humanoid_standup, "a 3-D humanoid, stands up, never terminates", only_v5="all"
    ),
    "InvertedDoublePendulum": Family(
        arms.inverted_double_pendulum, "two poles on a cart, kept upright", only_v5="all"
    ),
    "InvertedPendulum": Family(
        arms.inverted_pendulum, "a pole on a cart, kept upright", only_v5="all"
    ),
    "Pusher": Family(
        arms.pusher,
        "a 3-D arm, pushes an object to a goal, never terminates",
        only_v5="all",
        time_limit=100,
        no_v4="Gymnasium makes it with mujoco < 3 only",
    ),
    "Reacher": Family(
        arms.reacher,
        "an arm in a plane, reaches for a target, never terminates",
        only_v5="all",
        time_limit=50,
    ),
    "Swimmer": Family(
        runners.swimmer, "three links in a fluid, swims forward, never terminates", only_v5=_MODEL
    ),
    "Walker2d": Family(
        runners.walker2d,
        "two legs in a plane, walks forward",
        only_v5=_MODEL,
        v4_values={"xml_file": "walker2d.xml"},
    ),
}

# "Ant-v4" to (its family, 4), for all that can run here
ENVIRONMENTS = {
    f"{name}-v{version}": (family, version)
    for name, family in FAMILIES.items()
    for version in (4, 5)
    if version == 5 or family.no_v4 is None
}


def define(env_id: str, **options: Any) -> TaskSpec:
    """The definition of an environment; the options are known and checked."""
    family, version = ENVIRONMENTS[env_id]
    values = family.v4_values if version == 4 else {}
    made = family.build(version, **values, **options)._asdict()
    if "/" not in made["xml"]:  # as Gymnasium's constructors take file names
        made["xml"] = f"gymnasium:{made['xml']}"
    return TaskSpec(
        id=env_id,
        time_limit=family.time_limit,
        gymnasium_id=env_id,
        note=family.note,
        **made,
    )
