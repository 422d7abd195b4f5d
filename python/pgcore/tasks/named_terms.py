"""Terms of named quantities as the core takes them: each is an expression, compiled for a model."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgcore.tasks.expressions import compile_expression
from pgcore.tasks.quantities import Quantities, did_you_mean, load_quantities

Values = Mapping[str, float | str]


@dataclass(frozen=True)
class _Sugar:
    """A term that is an expression by another name.

    Attributes:
        parameters: those that it takes.
        text: from their values to the expression.
    """

    parameters: tuple[str, ...]
    text: Callable[[Values], str]


def _quoted(kind: str, values: Values, *names: str) -> str:
    """The parameters as arguments of an expression; the first is needed."""
    if names[0] not in values:
        others = f"; given: {', '.join(values)}" if values else ""
        got = f"nothing{others}"
        raise ValueError(f"{names[0]}: expected the name or number of a {kind}, got {got}")
    given = [values[n] for n in names if n in values]
    for value in given:
        if not isinstance(value, str) and not float(value).is_integer():
            raise ValueError(f"expected the name or number of a {kind}, got {value!r}")
    return ", ".join(repr(v) if isinstance(v, str) else str(int(v)) for v in given)


def _function(function: str, *names: str) -> _Sugar:
    return _Sugar(names, lambda values: f"{function}({_quoted(names[0], values, *names)})")


def _of(values: Values) -> str:
    text = values.get("of")
    if not isinstance(text, str):
        raise ValueError(f"of: expected an expression, got {text if text else 'nothing'}")
    return text


def _activation(values: Values) -> str:
    return f"activation({_quoted('actuator', values, 'actuator')})" if values else "act"


def _contact(values: Values) -> str:
    if "body" in values and "geom" in values:
        raise ValueError("body: expected either a body or a geom")
    kind, function = ("body", "body_contact") if "body" in values else ("geom", "contact")
    return f"{function}({_quoted(kind, values, kind, 'other')})"


_ROOMS: dict[str, dict[str, _Sugar]] = {
    "observation": {
        "expression": _Sugar(("of", "unit"), _of),
        "sensor": _function("sensor", "sensor"),
        "site_position": _function("site", "site"),
        "body_orientation": _function("body_quat", "body"),
        "body_velocity": _function("body_velocity", "body", "frame"),
        "tendon_length": _function("tendon", "tendon"),
        "activation": _Sugar(("actuator",), _activation),
        "previous_action": _Sugar((), lambda values: "ctrl"),
    },
    "reward": {"expression": _Sugar(("of", "weight"), _of)},
    "termination": {
        "expression": _Sugar(("of", "low", "high", "interval", "ends"), _of),
        "contact": _Sugar(("geom", "body", "other", "ends"), _contact),
    },
}


Native = tuple[str, dict[str, float | str]]


def native_rooms(
    rooms: Mapping[str, list[Native]], path: Path, frame_skip: int
) -> dict[str, list[Native]]:
    """Every room's terms as the core takes them; the model is read if a term names a part of it.

    Raises:
        ValueError: an unknown parameter, an object that the model does not have, or an expression
            that is none, in one line that names the term.
    """
    quantities = functools.cache(lambda: load_quantities(path, frame_skip))

    def native(room: str, kind: str, values: dict[str, float | str]) -> Native:
        if kind not in _ROOMS.get(room, {}):
            return kind, values
        known = quantities()
        try:
            return kind, _native_values(room, kind, values, known)
        except ValueError as error:
            raise ValueError(f"{room}: term {kind!r}: {error}") from None

    return {room: [native(room, *term) for term in terms] for room, terms in rooms.items()}


def read_activations(observation: list[Native]) -> set[int]:
    """The entries of ``act`` that native observation terms read, whatever they make of them."""
    texts = [str(values.get("program", "")) for _, values in observation]
    found = re.findall(r"field act (\d+) (\d+)", "; ".join(texts))
    return {i for start, count in found for i in range(int(start), int(start) + int(count))}


def _native_values(
    room: str, kind: str, values: Values, quantities: Quantities
) -> dict[str, float | str]:
    sugar = _ROOMS[room][kind]
    for name in values:
        if name not in sugar.parameters:
            hint = did_you_mean(name, sugar.parameters)
            known = ", ".join(sugar.parameters) or "none"
            raise ValueError(f"unknown parameter {name!r}; {hint}known: {known}")
    text = sugar.text(values)
    try:
        compiled = compile_expression(text, quantities, room)
    except ValueError as error:
        raise ValueError(f"of: {error}" if kind == "expression" else str(error)) from None
    if room == "observation":
        unit = values.get("unit")
        return {
            "program": compiled.program,
            "rows": compiled.rows(text, None if unit is None else " ".join(str(unit).split())),
        }
    if compiled.value.size != 1:
        raise ValueError(f"of: expected a number, got a vector of {compiled.value.size}")
    bounded = "low" in values or "high" in values
    if room == "termination" and compiled.value.condition == bounded:
        wanted = "a condition, or a number with low, high or both"
        raise ValueError(f"of: expected {wanted}; got {'both' if bounded else 'a number alone'}")
    kept: dict[str, Any] = {"before": compiled.before} if compiled.before else {}
    native = {k: v for k, v in values.items() if k in ("weight", "low", "high", "interval", "ends")}
    return {**native, **kept, "of": " ".join(text.split()), "program": compiled.program}
