"""Reading files of others so that nothing in them is executed.

A pickle is a program: it names functions and calls them. Here it may name NumPy's arrays, which
are rebuilt from their bytes by this module, and known classes of the libraries, in whose place
inert ones come that only keep what they are given. Any other name is refused.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore.base.errors import CheckpointError

# What an array may hold: plain numbers, never objects or records.
_KINDS = "biuf"


class Inert:
    """Stands for a class of the file: keeps its arguments and its state, and does nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Entries of a dictionary's or a list's subclass are dropped."""

    def append(self, value: Any) -> None:
        """As :meth:`__setitem__`."""

    def extend(self, values: Any) -> None:
        """As :meth:`__setitem__`."""

    def fields(self) -> dict[str, Any]:
        """The attributes that the object had, by name."""
        state = getattr(self, "state", None)
        if isinstance(state, tuple) and state and isinstance(state[0], dict):
            state = state[0]
        return dict(state) if isinstance(state, dict) else {}


class _DType(Inert):
    """A dtype, by its code alone: NumPy's own would take flags from the file."""

    def code(self) -> np.dtype[Any]:
        """The dtype of a code such as f8; ValueError if it is not of plain numbers."""
        name = self.arguments[0] if self.arguments else None
        if not isinstance(name, str) or len(name) > 4 or name.lstrip("<>|=")[:1] not in _KINDS:
            raise ValueError(f"an array of {name!r}, where only plain numbers are read")
        code = np.dtype(name)
        order = self.state[1] if isinstance(getattr(self, "state", None), tuple) else "="
        return code.newbyteorder(">") if order == ">" else code


class _Array(Inert):
    """An array, made from its bytes when its state comes."""

    array: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, raw = state
        flat = np.frombuffer(raw, dtype=kind.code())
        self.array = flat.reshape(shape, order="F" if fortran else "C").copy()


class _Call:
    """A function that a file may call, and not write into: a forged one sets what it likes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it writes into a function")


@_Call
def _reconstruct(*_: Any) -> _Array:
    return _Array()


@_Call
def _scalar(kind: _DType, raw: bytes) -> Any:
    return np.frombuffer(raw, dtype=kind.code())[0]


@_Call
def _from_buffer(raw: Any, kind: _DType, shape: tuple[int, ...], order: str) -> _Array:
    made = _Array()
    flat = np.frombuffer(raw, dtype=kind.code())
    made.array = flat.reshape(shape, order="F") if order == "F" else flat.reshape(shape)
    return made


_NUMPY: dict[str, Any] = {"numpy.ndarray": _Array, "numpy.dtype": _DType}
for _module in ("numpy._core", "numpy.core"):
    _NUMPY[f"{_module}.multiarray._reconstruct"] = _reconstruct
    _NUMPY[f"{_module}.multiarray.scalar"] = _scalar
    _NUMPY[f"{_module}.numeric._frombuffer"] = _from_buffer


def array_of(value: Any) -> NDArray[np.float64] | None:
    """The numbers of a read array, scalar or number as float64; None for anything else."""
    if isinstance(value, _Array):
        value = getattr(value, "array", None)
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, bool | int | float | np.number | np.ndarray):
        return np.asarray(value, dtype=np.float64)
    return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: Any, stand_ins: Iterable[str]) -> None:
        super().__init__(stream)
        self._stand_ins = tuple(stand_ins)

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in _NUMPY:
            return _NUMPY[full]
        if full == "collections.OrderedDict":
            return OrderedDict
        if full.startswith(self._stand_ins) or full in self._stand_ins:
            return Inert
        raise pickle.UnpicklingError(f"it asks for {full}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to data outside of it")


def refused(path: Path | str, reason: Any) -> CheckpointError:
    """The one line for a file that is not read."""
    text = " ".join(str(reason).split())[:200]
    if isinstance(reason, LookupError | EOFError):  # the unpickler's own words are of its stack
        text = "it is no pickle file, or its end is missing"
    if not text or text == "Weights only load failed":
        text = "it is empty, or no agent's file"
    if text.startswith("it asks for"):  # a whole object, or an older format
        text += "; `pgcore import --exporter LIBRARY` prints a script for where the agent lives"
    return CheckpointError(f"{path} is not read, and nothing in it was executed: {text}")


def read_pickle(path: Path, stand_ins: Iterable[str], content: bytes | None = None) -> Any:
    """A pickle of plain values, NumPy's arrays and objects of known classes, as inert ones.

    Args:
        path: of the file.
        stand_ins: beginnings of the full names of those classes.
        content: of the file, where it is part of another one.

    Raises:
        CheckpointError: it names anything else, or is corrupt.
    """
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as f:
            return _Unpickler(f, stand_ins).load()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    except Exception as error:  # whatever a forged file makes of the steps above
        raise refused(path, error) from error


def read_tensors(path: Path, stand_ins: Iterable[str] = (), content: bytes | None = None) -> Any:
    """A file of ``torch.save``, by torch's own reader of plain tensors (``weights_only``).

    Args:
        path: of the file.
        stand_ins: beginnings of full names of classes in whose place inert ones come.
        content: of the file, where it is part of another one.
    """
    if content is None and not path.is_file():
        raise CheckpointError(f"no file {str(path)!r}")
    raw = path.read_bytes() if content is None else content
    known = [] if content is not None else _known_classes(path, tuple(stand_ins))
    try:
        with torch.serialization.safe_globals(known), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # as above
        if isinstance(error, LookupError | EOFError):
            raise refused(path, error) from error
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it asks for {asked.group(1)}" if asked else re.split(r"\n|\. ", str(error))[0]
        raise refused(path, reason) from error


def _known_classes(path: Path, stand_ins: tuple[str, ...]) -> list[Any]:
    """What torch's reader is to know: NumPy's arrays of ours, and inert classes."""
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # no zip of torch: then it reads plain tensors only
        return []
    known: list[Any] = [(kind, name) for name, kind in _NUMPY.items() if name in named]
    known += [(_named(n, Inert), n) for n in named if stand_ins and n.startswith(stand_ins)]
    return [*known, (_Array, "numpy.ndarray")] if known else []


def _named(name: str, kind: type[Inert]) -> type[Inert]:
    """A class of its own for a name: torch tells classes in a file apart by identity."""
    return type(name.rsplit(".", 1)[1], (kind,), {})


def zip_names(path: Path) -> set[str]:
    """Names of a zip file's members; empty if it is none."""
    try:
        with zipfile.ZipFile(path) as file:
            return set(file.namelist())
    except Exception:  # no zip, or a damaged one
        return set()


def open_zip(path: Path) -> dict[str, bytes]:
    """The members of a zip file, by their names, up to 1 GB; empty if it is none."""
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > 2**30:
                raise ValueError("it holds more than 1 GB")
            return {name: file.read(name) for name in file.namelist()}
    except Exception as error:
        raise refused(path, error) from error
