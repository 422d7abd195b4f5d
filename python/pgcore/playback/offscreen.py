"""Drawing states off-screen: a process that draws, by whichever OpenGL there is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pgcore.base.arrays import F64
from pgcore.playback.camera import View
from pgcore.playback.drawing import READY


def libraries(environment: dict[str, str]) -> list[str]:
    """The values of MUJOCO_GL to try, in this order: the user's own, or all that may work."""
    own = environment.get("MUJOCO_GL", "").strip()
    if own:
        return [own]
    return ["egl", "osmesa"] + (["glfw"] if environment.get("DISPLAY") else [])


@contextmanager
def frames(
    model: bytes, states: F64, view: View, width: int, height: int
) -> Iterator[Iterator[bytes]]:
    """Frames of states [N, D]: each of width x height x 3 bytes, row by row from the top.

    Args:
        model: of ``task.native.model_bytes()``.
        states: [N, D], what is drawn.
        view: from where.
        width, height: pixels.

    Raises:
        RuntimeError: there is no OpenGL that draws, or the process ended early.
    """
    with tempfile.TemporaryDirectory(prefix="pgcore-play-") as name:
        room = Path(name)
        (room / "model.mjb").write_bytes(model)
        np.save(room / "states.npy", states)
        wanted = {"view": dataclasses.asdict(view), "width": width, "height": height}
        (room / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
        with _started(room) as pipe:
            yield _read(pipe, room, len(states), width * height * 3)


@contextmanager
def _started(room: Path) -> Iterator[BinaryIO]:
    """The pipe of a process that draws."""
    reasons = []
    for library in libraries(dict(os.environ)):
        with _drawing(room, library) as pipe:
            if pipe.read(len(READY)) == READY:
                yield pipe
                return
        reasons.append(f"{library}: {_last_words(room)}")
    raise RuntimeError(
        f"no OpenGL draws off-screen ({'; '.join(reasons)}); set MUJOCO_GL=egl (Debian's package "
        "libegl1) or MUJOCO_GL=osmesa (libosmesa6)"
    )


@contextmanager
def _drawing(room: Path, library: str) -> Iterator[BinaryIO]:
    """A process with one value of MUJOCO_GL; Ctrl-C reaches its caller alone, who ends it."""
    environment = {**os.environ, "MUJOCO_GL": library}
    if library in ("egl", "osmesa"):
        environment["PYOPENGL_PLATFORM"] = library  # else what another part of this process set
    ours, theirs = os.pipe()
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from pgcore.playback.drawing import serve; serve({str(room)!r}, {theirs})"
    )
    with (room / "said.txt").open("wb") as said, os.fdopen(ours, "rb") as pipe:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=environment,
                pass_fds=[theirs],
                stdout=said,
                stderr=said,
                process_group=0,
            )
        finally:
            os.close(theirs)
        try:
            yield pipe
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)  # it has drawn everything, or is about to say what is wrong
            process.kill()
            process.wait()


def _read(pipe: BinaryIO, room: Path, count: int, size: int) -> Iterator[bytes]:
    for number in range(count):
        frame = pipe.read(size)
        if len(frame) < size:
            raise RuntimeError(
                f"the process that draws ended after {number} of {count} frames: "
                f"{_last_words(room)}"
            )
        yield frame


def _last_words(room: Path) -> str:
    """The end of what a process said, as one line."""
    lines = (room / "said.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    return words[-1][:200] if words else "it said nothing"
