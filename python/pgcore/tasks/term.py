"""A term: the kind and the parameters of a part of a task."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from pgcore.base.errors import check_type, shown


@dataclass(frozen=True)
class Term:
    """One term of a task: its kind and its parameters, e.g. ``Term.of("qvel", clip=10.0)``.

    Kinds (parameters; those with a default may be left out):
        observation:
            qpos, sin_qpos, cos_qpos (start=0, end)
            qvel, qfrc_actuator, qfrc_constraint (start=0, end, clip)
            cinert, cvel (start=0), cfrc_ext (start=0, low, high): per body
            body_position (body, relative_to, axes="xyz")
            sensor (sensor), site_position (site), tendon_length (tendon), activation (actuator:
            all), previous_action, body_orientation (body), body_velocity (body, frame="world"|
            "local"), zeros (count), expression (of, unit): see docs/terms.md
        reward:
            coordinate (weight=1, index, per="one"|"timestep")
            coordinate_velocity (weight=1, index=0), com_velocity (weight=1, axis="x"),
            body_velocity (weight=1, axis="x", body)
            healthy (value=1, when="healthy"|"always")
            control_cost (weight)
            contact_cost (weight, low, high: of each entry of cfrc_ext, min, max: of the cost)
            velocity_cost (weight, index), site_cost (weight, site, axis="x", target=0)
            distance_cost (weight=1, body, to, when="after"|"before" the step)
            quadratic_state_cost (position=0, velocity=0), expression (of, weight=1)
        termination:
            qpos_range (index), state_range (start=0), site_range (site, axis="z"), each with
            low, high, interval="open"|"closed"; ends=1: with 0 the state is unhealthy, so that
            the healthy reward is not paid, but the trajectory goes on
            expression (of: a condition, or a number with these bounds; ends=1),
            contact (geom or body, other: anything; ends=1)
        reset, in order, from the model's defaults:
            uniform, gaussian (target="qpos"|"qvel", start=0, end, scale)
            set (target, start=0, end, value)
            disc (start, radius), box_outside_disc (start, x_low, x_high, y_low, y_high, radius):
            a random place for qpos[start:start + 2]; box (start, x_low, x_high, y_low, ...): of
            three; mocap (body, x_low, ...); keyframe (key); joint_range (joint: all)
            rotation (scale, joint: all), orientation (joint: all): of free and ball joints

    ``start`` and ``end`` of qpos and qvel count as in Python, negative ones from the end; ``joint``
    instead of them stands for that joint's entries, and ``index`` may be the name of a joint.
    Parts of the model are given by name or number.
    """

    kind: str
    parameters: tuple[tuple[str, float | str], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise TypeError(f"term: expected the name of a kind, got {shown(self.kind)}")
        check_type("parameters", self.parameters, tuple | list, "a tuple of (name, value)")
        for pair in self.parameters:
            if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
                raise TypeError(
                    f"term {self.kind!r}: parameters: expected (name, value), got {shown(pair)}"
                )
            name, value = pair
            if isinstance(value, bool) or not isinstance(value, Real | str):
                raise TypeError(
                    f"term {self.kind!r}: {name}: expected a number or a text, got {shown(value)}"
                )

    @staticmethod
    def of(kind: str, **parameters: float | str) -> Term:
        """A term from keyword parameters."""
        return Term(kind, tuple(sorted(parameters.items())))

    def native(self) -> tuple[str, dict[str, float | str]]:
        """The form that the native core takes."""
        values = {k: v if isinstance(v, str) else float(v) for k, v in self.parameters}
        return self.kind, values
