"""Expressions in plain Python: the tree of the text walked again for every state.

It knows nothing of the compiler and its programs. Elementary functions are the C library's, element
by element, and sums run from left to right, so that it equals the native loop to the bit.
"""

from __future__ import annotations

import ast
import math
from typing import Any

import mujoco
import numpy as np

from pgcore.base.arrays import F64
from pgcore.rollout.reference_numbers import (
    OF_ONE,
    OPERATORS,
    Vector,
    bell,
    each,
    fold,
    larger,
    product,
    smaller,
    total,
)
from pgcore.tasks.expression_text import parse


def _written(node: ast.AST) -> float | None:
    """The value of a number that is written out, which the step does not change."""
    match node:
        case ast.Constant(value=float() | int() as constant):
            return float(constant)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign):
            inner = _written(node.operand)
            return inner if inner is None or isinstance(sign, ast.UAdd) else -inner
        case ast.Call(func=ast.Name(id="before")):
            return _written(node.args[0])
    return None


class _Walk:
    """The values of one expression's parts.

    Attributes:
        m, d: a ``mujoco.MjModel`` and ``mujoco.MjData``.
        dt: seconds of one environment step.
        earlier: the data ahead of the step, or None.
    """

    def __init__(self, m: Any, d: Any, dt: float, earlier: Any) -> None:
        self.m, self.d, self.dt, self.earlier = m, d, dt, earlier

    def value(self, node: Any) -> Vector:
        match node:
            case ast.Constant(value=float() | int() as constant):
                return [float(constant)]
            case ast.Name():
                return self.name(node.id)
            case ast.UnaryOp(op=ast.Not()):
                return each(lambda x: float(x == 0.0), self.value(node.operand))
            case ast.UnaryOp():
                minus = isinstance(node.op, ast.USub)
                return [-x if minus else x for x in self.value(node.operand)]
            case ast.BinOp(op=ast.Pow()) if _written(node.right) in (2.0, 3.0, 4.0):
                (times,) = self.value(node.right)
                return [product(x, int(times)) for x in self.value(node.left)]
            case ast.BinOp():
                return each(OPERATORS[type(node.op)], self.value(node.left), self.value(node.right))
            case ast.BoolOp():
                return self.chained(type(node.op), [self.value(v) for v in node.values])
            case ast.Compare():
                sides = [self.value(v) for v in (node.left, *node.comparators)]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                return self.chained(ast.And, [each(OPERATORS[type(o)], x, y) for o, x, y in pairs])
            case ast.IfExp():
                return self.function("where", [node.test, node.body, node.orelse], {})
            case ast.List():
                return [x for part in node.elts for x in self.value(part)]
            case ast.Subscript():
                return self.value(node.value)[_span(node.slice)]
        return self.function(node.func.id, node.args, {k.arg: k.value for k in node.keywords})

    def chained(self, operator: type[ast.AST], parts: list[Vector]) -> Vector:
        result = parts[0]
        for part in parts[1:]:
            result = each(OPERATORS[operator], result, part)
        return result

    def name(self, name: str) -> Vector:
        """A quantity without an object."""
        if name in ("dt", "pi", "time"):
            return [{"dt": self.dt, "pi": math.pi, "time": self.d.time}[name]]
        if name == "com":
            return [float(x) for x in self.d.subtree_com[0]]
        if name == "last_action":
            return [float(x) for x in self.earlier.ctrl]
        return [float(x) for x in getattr(self.d, "ctrl" if name == "action" else name)]

    def function(self, name: str, nodes: list[Any], named: dict[str, Any]) -> Vector:
        if name == "before":
            return _Walk(self.m, self.earlier, self.dt, None).value(nodes[0])
        if all(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in nodes):
            return [float(x) for x in self.quantity(name, *(n.value for n in nodes))]
        parts = [self.value(n) for n in nodes]
        if name in OF_ONE:
            return each(OF_ONE[name], parts[0])
        if name in ("min", "max"):
            function = smaller if name == "min" else larger
            if len(parts) == 1:
                return [fold(function, parts[0], parts[0][0])]
            result = parts[0]
            for part in parts[1:]:
                result = each(function, result, part)
            return result
        if name == "where":
            return each(lambda c, x, y: x if c != 0.0 else y, *parts)
        if name == "clip":
            return each(lambda x, low, high: smaller(larger(x, low), high), *parts)
        if name == "tolerance":
            default = {"margin": [0.0], "value_at_margin": [0.1]}
            names = ("x", "low", "high", "margin", "value_at_margin")
            given = {k: self.value(v) for k, v in named.items()}
            given = default | dict(zip(names, parts, strict=False)) | given
            return each(bell, *(given[k] for k in names))
        return [_of_vectors(name, *parts)]

    def quantity(self, name: str, *names: str) -> Any:
        """A quantity of named objects, through the simulator's own named access."""
        m, d = self.m, self.d
        if name in ("contact", "body_contact"):
            return [float(_touch(m, d, name == "body_contact", *names))]
        if name in ("body_velocity", "site_velocity"):
            kind = mujoco.mjtObj.mjOBJ_XBODY if name[0] == "b" else mujoco.mjtObj.mjOBJ_SITE
            part = (m.body if name[0] == "b" else m.site)(names[0])
            out = np.zeros(6)
            mujoco.mj_objectVelocity(m, d, kind, part.id, out, names[1:] == ("local",))
            return out
        if name == "activation":
            start = m.actuator(names[0]).actadr[0]
            return d.act[start : start + m.actuator(names[0]).actnum[0]]
        kind, field = _FIELDS[name]
        return np.ravel(getattr(getattr(d, kind)(names[0]), field))


_FIELDS = {
    "joint": ("joint", "qpos"),
    "joint_velocity": ("joint", "qvel"),
    "sensor": ("sensor", "data"),
    "site": ("site", "xpos"),
    "site_matrix": ("site", "xmat"),
    "geom": ("geom", "xpos"),
    "body": ("body", "xpos"),
    "body_quat": ("body", "xquat"),
    "body_matrix": ("body", "xmat"),
    "contact_force": ("body", "cfrc_ext"),
    "com": ("body", "subtree_com"),
    "tendon": ("tendon", "length"),
    "tendon_velocity": ("tendon", "velocity"),
    "actuator": ("actuator", "force"),
}


def _span(node: Any) -> slice:
    """The entries that an index or a slice of literal integers stands for."""
    if isinstance(node, ast.Slice):
        ends = [None if e is None else ast.literal_eval(e) for e in (node.lower, node.upper)]
        return slice(*ends)
    i = ast.literal_eval(node)
    return slice(i, None if i == -1 else i + 1)


def _of_vectors(name: str, x: Vector, y: Vector | None = None) -> float:
    """One number of a vector, or of two."""
    match name:
        case "sum":
            return total(x)
        case "mean":
            return total(x) / len(x)
        case "norm":
            return math.sqrt(total([v * v for v in x]))
        case "any":
            return float(any(v != 0.0 for v in x))
        case "all":
            return float(all(v != 0.0 for v in x))
    return total([v * w for v, w in zip(x, y or [], strict=True)])


def _touch(m: Any, d: Any, bodies: bool, one: str, other: str | None = None) -> bool:
    """Whether two geoms, or bodies, or one and anything, are in a contact that acts."""
    for contact in d.contact:
        if contact.exclude == 0:
            pair = [m.geom(g) for g in contact.geom if g >= 0]
            names = [m.body(g.bodyid[0]).name if bodies else g.name for g in pair]
            if other is None and one in names:
                return True
            if other is not None and names in ([one, other], [other, one]):
                return True
    return False


def evaluate(text: str, m: Any, d: Any, dt: float, earlier: Any = None) -> F64:
    """What an expression is in a state.

    Args:
        text: an expression that a task has accepted, with parts of the model by name.
        m, d: a ``mujoco.MjModel`` and its ``mujoco.MjData``, after a forward evaluation.
        dt: seconds of one environment step.
        earlier: the data ahead of the step, for ``before`` and ``last_action``.

    Returns:
        Its values [n].
    """
    return np.array(_Walk(m, d, dt, earlier).value(parse(text)), dtype=np.float64)
