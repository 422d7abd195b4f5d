"""Frames into an MP4, by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from pgcore.base.errors import check_count
from pgcore.base.files import whole_file
from pgcore.base.version import installation


def check_encoder() -> None:
    """ValueError where the library that encodes is not installed."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ValueError(
            "out: a video needs imageio-ffmpeg, pgcore's extra video; in pgcore's folder: "
            + installation("'.[video]'")
        )


def check_size(name: str, pixels: int) -> int:
    """Width or height that an MP4 can have."""
    if check_count(name, pixels, 16, 4096) % 2:
        raise ValueError(f"{name}: expected an even number, as videos have it, got {pixels}")
    return pixels


def check_file(path: Path, overwrite: bool) -> None:
    """Whether a video can be written there; its folder is made."""
    if path.is_dir():
        raise ValueError(f"out: expected a file such as film.mp4, got the folder {path}")
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"out: expected a file that ends in .mp4, got {path}")
    if path.exists() and not overwrite:
        raise ValueError(f"out: {path} is there already; give --overwrite, or another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass  # an error names the folder before anything is drawn


def write_video(
    path: Path, frames: Iterable[bytes], width: int, height: int, rate: Fraction
) -> None:
    """Encode frames of width x height x 3 bytes as H.264; the file is whole or not there.

    Raises:
        OSError: ffmpeg could not write it.
    """
    import imageio_ffmpeg

    with whole_file(path) as temporary, tempfile.TemporaryFile() as said:
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", f"{rate.numerator}/{rate.denominator}", "-i", "-",
            "-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "20",
            "-movflags", "+faststart", "-f", "mp4", str(temporary),
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said, process_group=0
        )
        assert process.stdin is not None
        try:
            try:
                for frame in frames:
                    process.stdin.write(frame)
                process.stdin.close()
            except BrokenPipeError:  # it ended, and has said why
                status = process.wait() or 1
            else:
                status = process.wait()
        finally:
            process.kill()
            process.wait()
            if not process.stdin.closed:
                _close(process)
        if status:
            said.seek(0)
            words = said.read().decode(errors="replace").replace(str(temporary), path.name)
            raise OSError(f"{path}: ffmpeg could not write it: {' '.join(words.split())[:300]}")


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close a pipe to a process that has ended, with what is still in it."""
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        return
