"""From the tree of an expression to the instructions of a program."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from pgcore.tasks.expression_text import ExpressionError
from pgcore.tasks.expression_values import (
    FUNCTIONS,
    Value,
    chain,
    function,
    joined,
    lines,
    number,
    only,
    slice_of,
)
from pgcore.tasks.quantities import NAMES, Quantities, Quantity, did_you_mean

_DEEPEST = 60  # nodes inside each other
_MOST_INSTRUCTIONS = 4000
_OPERATORS = "+ - * / ^ < <= > >= == != and or not"
_BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
}
_COMPARISONS: dict[type[ast.AST], tuple[str, bool]] = {  # word, and whether the sides swap
    ast.Lt: ("less", False),
    ast.LtE: ("less_equal", False),
    ast.Gt: ("less", True),
    ast.GtE: ("less_equal", True),
    ast.Eq: ("equal", False),
    ast.NotEq: ("not_equal", False),
}
# what is of a step, and so not of every room
_ROOMS = {
    "before": ("reward",),
    "last_action": ("reward",),
    "contact": ("reward", "termination"),
    "body_contact": ("reward", "termination"),
}


class Compiler:
    """Walks the tree of one expression; ``kept``: what it keeps ahead of the step."""

    def __init__(self, quantities: Quantities, room: str) -> None:
        self.quantities, self.room = quantities, room
        self.kept: dict[tuple[str, ...], tuple[int, int]] = {}  # code: start and size
        self.depth = 0
        self.inside_before = False

    def kept_code(self) -> list[str]:
        code = [line for lines in self.kept for line in lines]
        return [*code, f"join {len(self.kept)}"] if self.kept else []

    def visit(self, node: ast.expr) -> Value:
        method = _NODES.get(type(node))
        if method is None:
            kind = type(node).__name__
            raise ExpressionError(
                f"expected numbers, quantities, functions and operators, got {kind}", node
            )
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError(f"expected at most {_DEEPEST} parts inside each other", node)
        try:
            value = method(self, node)
            if len(value.code) > _MOST_INSTRUCTIONS:
                raise ValueError(f"expected at most {_MOST_INSTRUCTIONS} instructions")
            return value
        except ExpressionError:
            raise
        except ValueError as error:
            raise ExpressionError(str(error), node) from None
        finally:
            self.depth -= 1

    # leaves
    def literal(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise ExpressionError(f"expected a number, got {node.value!r}", node)
        try:
            return number(float(node.value))
        except OverflowError:
            raise ExpressionError("expected a finite number", node) from None

    def name(self, node: ast.Name) -> Value:
        self.check_room(node.id, node)
        if node.id == "last_action":
            return self.before(self.quantity(self.quantities.whole("ctrl")))
        if node.id in self.quantities.constants:
            return number(self.quantities.constants[node.id])
        found = self.quantities.whole(node.id)
        if found is not None:
            return self.quantity(found)
        if node.id in {*NAMES, *FUNCTIONS, *_ROOMS}:
            raise ExpressionError(f"expected arguments: {node.id}(...)", node)
        raise self.unknown(node.id, node)

    def unknown(self, name: str, node: ast.AST) -> ExpressionError:
        known = sorted({*NAMES, *FUNCTIONS, *_ROOMS})
        return ExpressionError(
            f"unknown name; {did_you_mean(name, known)}known: {', '.join(known)}", node
        )

    def check_room(self, name: str, node: ast.AST) -> None:
        rooms = _ROOMS.get(name, (self.room,))
        if self.room not in rooms:
            raise ExpressionError(
                f"{name} is of a step: it is known in {' and '.join(rooms)} only", node
            )
        if self.inside_before and name in _ROOMS:
            raise ExpressionError(f"{name} is not known before the step", node)

    @staticmethod
    def quantity(found: Quantity | None) -> Value:
        assert found is not None
        condition = found.code.startswith("contact")
        return Value((found.code,), len(found.rows), condition, None, found.rows)

    # operators
    def unary(self, node: ast.UnaryOp) -> Value:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.UAdd):
            return value
        if isinstance(node.op, ast.Not):
            return Value((*value.code, "not"), value.size, condition=True)
        if not isinstance(node.op, ast.USub):
            raise ExpressionError(f"unknown operator; known: {_OPERATORS}", node)
        if value.constant is not None:
            return number(-value.constant)
        return Value((*value.code, "negative"), value.size)

    def binary(self, node: ast.BinOp) -> Value:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Pow):
            if right.constant in (2.0, 3.0, 4.0):
                return Value((*left.code, f"power {right.constant:.0f}"), left.size)
            return joined("pow", left, right)
        if type(node.op) not in _BINARY:
            raise ExpressionError(f"unknown operator; known: {_OPERATORS}", node)
        return joined(_BINARY[type(node.op)], left, right)

    def boolean(self, node: ast.BoolOp) -> Value:
        word = "and" if isinstance(node.op, ast.And) else "or"
        return chain(word, [self.visit(v) for v in node.values], condition=True)

    def comparison(self, node: ast.Compare) -> Value:
        sides = [self.visit(v) for v in (node.left, *node.comparators)]
        results = []
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if type(op) not in _COMPARISONS:
                raise ExpressionError("unknown comparison; known: < <= > >= == !=", node)
            word, swapped = _COMPARISONS[type(op)]
            first, second = (right, left) if swapped else (left, right)
            results.append(joined(word, first, second, condition=True))
        return chain("and", results, condition=True)

    def choice(self, node: ast.IfExp) -> Value:
        parts = [self.visit(n) for n in (node.test, node.body, node.orelse)]
        return joined("where", *parts)

    # vectors
    def vector(self, node: ast.List) -> Value:
        if not node.elts:
            raise ExpressionError("expected at least one entry", node)
        parts = [self.visit(n) for n in node.elts]
        known = all(p.rows for p in parts)
        rows = tuple(row for part in parts for row in part.rows) if known else ()
        return Value((*lines(parts), f"join {len(parts)}"), sum(p.size for p in parts), rows=rows)

    def subscript(self, node: ast.Subscript) -> Value:
        value = self.visit(node.value)
        span = range(value.size)
        part = node.slice
        if isinstance(part, ast.Slice):
            if part.step is not None:
                raise ExpressionError("expected entries [start:end] without a step", node)
            ends = [None if e is None else _integer(e) for e in (part.lower, part.upper)]
            chosen = span[ends[0] : ends[1]]
        else:
            i = _integer(part)
            if not -value.size <= i < value.size:
                raise ExpressionError(f"expected an entry of {value.size}, got {i}", node)
            chosen = span[i : i + 1] if i != -1 else span[-1:]
        if not chosen:
            raise ExpressionError(f"expected at least one entry of {value.size}", node)
        return slice_of(value, chosen)

    # functions
    def call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name):
            raise ExpressionError("expected the name of a function", node)
        name = node.func.id
        self.check_room(name, node)
        if name == "before":
            self.inside_before = True
            value = only(name, [self.visit(a) for a in node.args])
            self.inside_before = False
            return self.before(value)
        if name in FUNCTIONS:
            named = {k.arg or "": self.visit(k.value) for k in node.keywords}
            if len(named) < len(node.keywords):
                raise ExpressionError(f"{name}: expected every name once", node)
            return function(name, [self.visit(a) for a in node.args], named)
        if node.keywords:
            raise ExpressionError(f"{name}: expected arguments without names", node)
        found = None
        if name in NAMES:
            found = self.quantities.of(name, [_object(a) for a in node.args])
        if found is None:
            raise self.unknown(name, node.func)
        return self.quantity(found)

    def before(self, value: Value) -> Value:
        """What ``value`` was ahead of the step."""
        if value.constant is not None:
            return value
        if value.code not in self.kept:
            self.kept[value.code] = (sum(size for _, size in self.kept.values()), value.size)
        start, size = self.kept[value.code]
        return Value((f"memory {start} {size}",), size, value.condition)


def _integer(node: ast.expr) -> int:
    """An integer that is written out."""
    inner, sign = node, 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner, sign = node.operand, -1
    if not isinstance(inner, ast.Constant) or type(inner.value) is not int:
        raise ExpressionError("expected an integer", node)
    return sign * int(inner.value)


def _object(node: ast.expr) -> str | int:
    """The name or the number of an object."""
    if not isinstance(node, ast.Constant) or type(node.value) not in (str, int):
        raise ExpressionError("expected a name in quotes, or a number", node)
    chosen: str | int = node.value  # type: ignore[assignment]
    return chosen


_NODES: dict[type[ast.expr], Callable[[Compiler, Any], Value]] = {
    ast.Constant: Compiler.literal,
    ast.Name: Compiler.name,
    ast.UnaryOp: Compiler.unary,
    ast.BinOp: Compiler.binary,
    ast.BoolOp: Compiler.boolean,
    ast.Compare: Compiler.comparison,
    ast.IfExp: Compiler.choice,
    ast.List: Compiler.vector,
    ast.Subscript: Compiler.subscript,
    ast.Call: Compiler.call,
}
