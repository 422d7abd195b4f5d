"""The built-in tasks.

The Gymnasium MuJoCo tasks, from the models of the installed gymnasium package. ``-v2`` are the
tasks of the paper: Hopper-v2 and Walker2d-v2 have the dynamics and rewards of v4; Humanoid-v2 has
v4's observation and an impact cost that v4 lacks.
"""

from __future__ import annotations

from dataclasses import replace

from pgcore.gymnasium_suite.families import ENVIRONMENTS, define
from pgcore.tasks import TaskSpec, Term

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

_HUMANOID_V4 = define("Humanoid-v4")
_PAPER = (
    replace(define("Hopper-v4"), id="Hopper-v2", note="the paper's Hopper; equal to v4"),
    replace(define("Walker2d-v4"), id="Walker2d-v2", note="the paper's Walker2d; equal to v4"),
    replace(
        _HUMANOID_V4,
        id="Humanoid-v2",
        reward=(*_HUMANOID_V4.reward, Term.of("contact_cost", weight=5e-7, max=10.0)),
        note="the paper's Humanoid: v4 and an impact cost",
    ),
)
_GYMNASIUM = tuple(define(env_id) for env_id in ENVIRONMENTS)

TASKS: dict[str, TaskSpec] = {
    spec.id: spec
    for spec in (*sorted((*_PAPER, *_GYMNASIUM), key=lambda spec: spec.id), _LINEAR_QUADRATIC)
}
