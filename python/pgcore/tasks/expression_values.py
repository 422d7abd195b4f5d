"""Parts of an expression, and what the functions of the language make of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

_OF_ONE = ("abs", "sqrt", "exp", "log", "sin", "cos", "tanh")
_FOLDS = {"sum": "sum", "mean": "mean", "norm": "norm", "min": "least", "max": "greatest"}
_PAIRS = {"min": "minimum", "max": "maximum"}
_ANY = {"any": "greatest", "all": "least"}
_ARGUMENTS = {"dot": 2, "clip": 3, "where": 3}
FUNCTIONS = (*_OF_ONE, *_FOLDS, *_ANY, *_ARGUMENTS, "tolerance")
_TOLERANCE = ("x", "low", "high", "margin", "value_at_margin")


@dataclass(frozen=True)
class Value:
    """A part of an expression, compiled.

    Attributes:
        code: instructions that leave it on the stack.
        size: number of its entries.
        condition: whether it is true or false, 1 or 0.
        constant: its value, where that is a number in the text.
        rows: meaning and unit of each entry, where it is a quantity of the model.
    """

    code: tuple[str, ...]
    size: int
    condition: bool = False
    constant: float | None = None
    rows: tuple[tuple[str, str], ...] = ()


def number(value: float) -> Value:
    """A number that is the same at every step."""
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return Value((f"constant {value!r}",), 1, constant=value)


def lines(parts: list[Value]) -> tuple[str, ...]:
    """The code of parts, one after the other."""
    return tuple(line for part in parts for line in part.code)


def joined(word: str, *parts: Value, condition: bool = False) -> Value:
    """An instruction on values of one size; a number counts for all entries of the others."""
    sizes = sorted({p.size for p in parts} - {1})
    if len(sizes) > 1:
        raise ValueError(f"expected values of one size, got {sizes[0]} and {sizes[1]}")
    return Value((*lines(list(parts)), word), (sizes or [1])[0], condition)


def chain(word: str, parts: list[Value], condition: bool = False) -> Value:
    """An instruction on the first two, then on that and the third, and so on."""
    result = parts[0]
    for part in parts[1:]:
        result = joined(word, result, part)
    return replace(result, condition=condition)


def slice_of(value: Value, chosen: range) -> Value:
    """Some entries of a value; of an array they are read alone."""
    rows = value.rows[chosen.start : chosen.stop]
    words = value.code[-1].split()
    if len(value.code) == 1 and words[0] in ("field", "memory"):
        start = int(words[-2]) + chosen.start
        code: tuple[str, ...] = (" ".join([*words[:-2], str(start), str(len(chosen))]),)
    else:
        code = (*value.code, f"slice {chosen.start} {len(chosen)}")
    return Value(code, len(chosen), value.condition, rows=rows)


def only(name: str, parts: list[Value]) -> Value:
    """The one argument of a function."""
    if len(parts) != 1:
        raise ValueError(f"{name}: expected one argument, got {len(parts)}")
    return parts[0]


def function(name: str, parts: list[Value], named: Mapping[str, Value]) -> Value:
    """What a function, one of :data:`FUNCTIONS`, makes of its arguments.

    Raises:
        ValueError: it takes others.
    """
    if name == "tolerance":
        return _tolerance(parts, named)
    if named:
        raise ValueError(f"{name}: expected arguments without names")
    if name in _PAIRS and len(parts) > 1:
        return chain(_PAIRS[name], parts)
    if name in _ARGUMENTS:
        if len(parts) != _ARGUMENTS[name]:
            raise ValueError(f"{name}: expected {_ARGUMENTS[name]} arguments, got {len(parts)}")
        return _of_several(name, parts)
    value = only(name, parts)
    if name in _OF_ONE:
        return Value((*value.code, name), value.size)
    if name in _ANY:
        return Value((*value.code, "not", "not", _ANY[name]), 1, condition=True)
    return Value((*value.code, _FOLDS[name]), 1)


def _of_several(name: str, parts: list[Value]) -> Value:
    if name == "where":
        return joined("where", *parts)
    if name == "clip":
        return joined("minimum", joined("maximum", parts[0], parts[1]), parts[2])
    if parts[0].size != parts[1].size:
        sizes = f"{parts[0].size} and {parts[1].size}"
        raise ValueError(f"dot: expected vectors of one size, got {sizes}")
    return Value((*lines(parts), "dot"), 1)


def _tolerance(parts: list[Value], named: Mapping[str, Value]) -> Value:
    given = dict(zip(_TOLERANCE, parts, strict=False))
    unknown = set(named) - (set(_TOLERANCE) - set(given))
    if unknown or len(parts) > len(_TOLERANCE) or not {"x", "low", "high"} <= {*given, *named}:
        raise ValueError("tolerance: expected x, low, high, margin=0, value_at_margin=0.1")
    given |= named
    for name in _TOLERANCE[1:]:
        if name in given and given[name].size != 1:
            raise ValueError(f"tolerance: {name}: expected a number, got a vector")
    at_margin = given.get("value_at_margin", number(0.1)).constant
    if at_margin is None or not 0.0 < at_margin < 1.0:
        raise ValueError("tolerance: value_at_margin: expected a number in (0, 1)")
    low, high, margin = given["low"], given["high"], given.get("margin", number(0.0))
    if margin.constant is not None and margin.constant < 0.0:
        raise ValueError("tolerance: margin: expected a number >= 0")
    if low.constant is not None and high.constant is not None and low.constant > high.constant:
        raise ValueError("tolerance: low: expected a number <= high")
    scale = number(math.sqrt(-2.0 * math.log(at_margin)))
    return Value((*lines([given["x"], low, high, margin, scale]), "tolerance"), given["x"].size)
