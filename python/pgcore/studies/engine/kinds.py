"""The settings of a study by the kinds that their dataclass says: plain values, or a TypeError."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from pgcore.base.errors import check_flag, check_type, shown

_WORDS = {int: "integers", float: "numbers", str: "texts"}


def plain(value: Any) -> Any:
    """A number of NumPy as Python's; a list, or an array of one dimension, as a tuple."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return tuple(value.tolist())
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    return value


def of_kinds(settings: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of some fields of a dataclass, as :func:`plain` has them.

    Flags, texts and sequences of numbers or texts are checked, which else fail somewhere; what a
    single number may be, each study checks itself.

    Raises:
        TypeError, ValueError: a value of another kind, or of another length than a pair.
    """
    hints = typing.get_type_hints(settings)
    chosen = {name: plain(value) for name, value in values.items()}
    for name, value in chosen.items():
        kinds = typing.get_args(hints[name]) if _is_union(hints[name]) else (hints[name],)
        if value is None and type(None) in kinds:
            continue
        _check(name, value, next(k for k in kinds if k is not type(None)))
    return chosen


def _is_union(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _check(name: str, value: Any, kind: Any) -> None:
    if kind is bool:
        check_flag(name, value)
    elif kind is str:
        check_type(name, value, str, "a text")
    elif typing.get_origin(kind) is tuple:
        of, *more = typing.get_args(kind)
        pair = bool(more) and more[0] is not Ellipsis
        wanted = f"{'two' if pair else 'a sequence of'} {_WORDS[of]}"
        known = Real if of in (int, float) else of
        whole = isinstance(value, tuple) and all(
            isinstance(one, known) and not isinstance(one, bool) for one in value
        )
        if not whole:
            raise TypeError(f"{name}: expected {wanted}, got {shown(value)}")
        if pair and len(value) != 2:
            raise ValueError(f"{name}: expected {wanted}, got {shown(value)}")
