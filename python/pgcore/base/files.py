"""Files that are whole or not there, and arrays in them: safetensors with JSON in the header.

Nothing in such a file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pgcore.base.errors import CheckpointError

Arrays = dict[str, NDArray[Any]]
_UNREADABLE = (SafetensorError, LookupError, ValueError, TypeError, OSError, RecursionError)


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of named arrays: their names, dtypes, shapes and bytes."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha.update(f"{name}:{array.dtype}:{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


@contextmanager
def file_named(path: Path, instead: Path | None = None) -> Iterator[None]:
    """Let an error of the system that names no file, as that of a full disk, name ``path``.

    Also one that names ``instead``, a file that no user knows.
    """
    try:
        yield
    except OSError as error:
        known = error.filename is not None and error.filename != str(instead)
        if not known and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def check_replaceable(path: Path, name: str = "path") -> None:
    """ValueError on an argument ``name`` where something is that a file may not replace."""
    if path.exists() and not path.is_file():
        what = "folder" if path.is_dir() else "device or pipe"
        raise ValueError(f"{name}: expected a file, got the {what} {path}")


def _header(file: Any) -> dict[str, Any]:
    """What :func:`write_arrays` put beside the arrays."""
    header: dict[str, Any] = json.loads((file.metadata() or {})["pgcore"])
    return header


def check_replaces(path: Path, kind: str, name: str = "path") -> None:
    """ValueError where a file is that a new one of a kind may not replace: one of another kind.

    Args:
        path: to be written.
        kind: of :func:`write_arrays`, as its header says: "agent".
        name: of the argument.
    """
    check_replaceable(path, name)
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with safe_open(path, framework="numpy") as f:
            there = _header(f)["kind"]
    except _UNREADABLE:
        there = None
    if there != kind:
        raise ValueError(
            f"{name}: {path} is there and is no {kind} of pgcore, which alone would be replaced; "
            "choose another name, or remove it"
        )


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write to, which takes its name at the end; nothing on an error.

    A link stays one: what it names is replaced.

    Raises:
        ValueError: a device, pipe or folder is there, which would be replaced by a file.
    """
    path = path.resolve() if path.is_symlink() else path
    check_replaceable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with file_named(path, temporary):
            yield temporary
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new content whole."""
    with whole_file(path) as temporary, temporary.open("wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())


def remove_torn(folder: Path, pattern: str = ".*.tmp") -> None:
    """Remove the temporary files of a process that was killed while it wrote.

    Args:
        folder: in which nobody else writes.
        pattern: of their names; the default is that of :func:`write_atomically`.
    """
    for torn in folder.glob(pattern):
        torn.unlink(missing_ok=True)


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays and a header of plain values, with the arrays' digest in it."""
    text = json.dumps({**header, "digest": digest_of(arrays)})
    whole = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    write_atomically(path, save(whole, metadata={"pgcore": text}))


def read_arrays(path: Path, kind: str) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of :func:`write_arrays`.

    Args:
        path: of the file.
        kind: what it is to hold, for messages: "checkpoint", "agent".

    Raises:
        CheckpointError: missing, truncated or corrupt, or something else.
    """
    if path.is_dir():
        raise CheckpointError(f"{kind}: expected a file, got the folder {str(path)!r}")
    if not path.is_file():
        raise CheckpointError(f"{kind}: no file {str(path)!r}")
    try:
        with safe_open(path, framework="numpy") as f:
            header = _header(f)
            arrays = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
        digest = str(header["digest"])
    except _UNREADABLE as error:
        if path.suffix != ".safetensors":
            raise CheckpointError(
                f"{kind}: {path} is no pgcore {kind}, which is a .safetensors file; "
                "`pgcore import` makes one from another library's agent"
            ) from error
        raise CheckpointError(
            f"{kind}: {path} is truncated or corrupt, or no pgcore {kind} "
            f"({' '.join(str(error).split())})"
        ) from error
    if digest_of(arrays) != digest:
        raise CheckpointError(f"{kind}: {path} is corrupt: its arrays do not match their hash")
    return header, arrays
