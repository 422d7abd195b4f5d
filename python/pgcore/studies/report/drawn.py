"""A study's own figures and table, drawn anew from its dataset."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from pgcore.studies.engine.study import Study
from pgcore.studies.style import figure_formats

_PIXELS_PER_INCH = 200  # of what `save_figure` writes


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG.

    Attributes:
        name: of its file, without the suffix.
        title: what it says of itself; else its name.
        inches: its width, height.
        png: its bytes.
    """

    name: str
    title: str
    inches: tuple[float, float]
    png: bytes


@dataclass(frozen=True)
class Drawn:
    """What a study's report makes: pictures, and the table as text."""

    pictures: tuple[Picture, ...]
    text: str


def draw(study: Study, data: xr.Dataset) -> Drawn:
    """Run a study's report in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        with figure_formats(".png"):
            study.report(data, folder)
        # a label may hold a slash, and make a folder
        paths = sorted(folder.rglob("*.png"), key=lambda p: str(p.relative_to(folder)))
        pictures = tuple(_picture(p.relative_to(folder), p.read_bytes()) for p in paths)
        summary = folder / "summary.txt"
        return Drawn(pictures, summary.read_text(encoding="utf-8") if summary.exists() else "")


def _picture(path: Path, png: bytes) -> Picture:
    name = str(path.with_suffix(""))
    width, height = struct.unpack(">II", png[16:24])
    texts = dict(_texts(png))
    title = "; ".join(line.strip(" ;") for line in texts.get("Title", name).splitlines())
    return Picture(name, title, (width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), png)


def _texts(png: bytes) -> Iterator[tuple[str, str]]:
    """The texts that a PNG says of itself (chunks tEXt and iTXt, uncompressed)."""
    at = 8
    while at + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"tEXt":
            key, _, text = body.partition(b"\0")
            yield key.decode("latin-1"), text.decode("latin-1")
        elif kind == b"iTXt":
            key, _, rest = body.partition(b"\0")
            yield key.decode("latin-1"), rest[2:].split(b"\0", 2)[2].decode("utf-8")
        at += 12 + length
