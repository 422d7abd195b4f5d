"""Expressions over named quantities, compiled to programs that the native loop runs.

``sensor("vel")[0] - 0.1 * sum(ctrl^2)`` is parsed by Python's own :mod:`ast` and never evaluated by
Python: each node of the tree is one that the compiler knows, and becomes instructions for
``cpp/pgcore/terms/program.hpp``.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgcore.tasks.expression_compiler import Compiler
from pgcore.tasks.expression_text import ExpressionError, parse
from pgcore.tasks.expression_values import Value
from pgcore.tasks.quantities import UNKNOWN, Quantities


@dataclass(frozen=True)
class Compiled:
    """An expression as a program.

    Attributes:
        program: instructions.
        before: those of what it keeps ahead of a step; empty for nothing.
        value: what it computes.
    """

    program: str
    before: str
    value: Value

    def rows(self, text: str, unit: str | None) -> str:
        """The table of an observation: a line of a meaning, a tab and a unit for every entry."""
        size = self.value.size
        names = [text] if size == 1 else [f"({text})[{i}]" for i in range(size)]
        rows = self.value.rows or tuple((name, UNKNOWN) for name in names)
        return "\n".join(f"{' '.join(m.split())}\t{unit or u}" for m, u in rows)


def compile_expression(text: str, quantities: Quantities, room: str) -> Compiled:
    """Compile the text of a term.

    Args:
        text: the expression.
        quantities: those of the model.
        room: where the term stands, "observation", "reward" or "termination": not everything is
            known everywhere.

    Raises:
        ValueError: one line with the place, what was expected, and near names.
    """
    compiler = Compiler(quantities, room)
    try:
        value = compiler.visit(parse(text))
    except ExpressionError as error:
        raise ValueError(error.located(text)) from None
    return Compiled("; ".join(value.code), "; ".join(compiler.kept_code()), value)
