"""The built-in tasks.

The Gymnasium MuJoCo tasks, from the models of the installed gymnasium package. ``-v2`` are the
tasks of the paper: v4 with the contact margins of MuJoCo before 3.5; Humanoid-v2 has an impact cost
that v4 lacks, and Humanoid-v2-zero-forces neither that nor contact forces: MuJoCo 2.0 under
mujoco-py returned zeros for them (openai/gym#1541), and which of the two the paper ran is not
known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS, define
from pgcore.tasks.task import TaskSpec
from pgcore.tasks.term import Term

# The known answer: value and policy gradient of a linear policy have closed forms here.
_LINEAR_QUADRATIC = TaskSpec(
    id="LinearQuadratic-v0",
    xml="pgcore:linear_quadratic.xml",
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

_FORCES = 84  # entries of Humanoid's cfrc_ext: 14 bodies, the world among them


def _v2(spec: TaskSpec, **changes: Any) -> TaskSpec:
    """The paper's version of a task's v4."""
    values = {"id": spec.id.replace("v4", "v2"), "contact_margins": "max", **changes}
    return replace(spec, **values)


_HUMANOID_V4 = define("Humanoid-v4")
_PAPER = (
    _v2(define("Hopper-v4"), note="the paper's Hopper: v4 with the old contact margins"),
    _v2(define("Walker2d-v4"), note="the paper's Walker2d: equal to v4, which has no margins"),
    _v2(
        _HUMANOID_V4,
        reward=(*_HUMANOID_V4.reward, Term.of("contact_cost", weight=5e-7, max=10.0)),
        note="the paper's Humanoid: v4 with an impact cost and the old contact margins",
    ),
    _v2(
        _HUMANOID_V4,
        id="Humanoid-v2-zero-forces",
        observation=(*_HUMANOID_V4.observation[:-1], Term.of("zeros", count=_FORCES)),
        note="Humanoid-v2 where contact forces read as zero, so without impact cost",
    ),
)
_GYMNASIUM = tuple(define(env_id) for env_id in ENVIRONMENTS)

TASKS: dict[str, TaskSpec] = {
    spec.id: spec
    for spec in (*sorted((*_PAPER, *_GYMNASIUM), key=lambda spec: spec.id), _LINEAR_QUADRATIC)
}
