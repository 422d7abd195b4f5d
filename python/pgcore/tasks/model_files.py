"""The files that a model is made of, before MuJoCo reads them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mujoco

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NAMES_FILE = re.compile(r"<(model|include)\b((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
_FILE = re.compile(r"\sfile\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")


def read_anew() -> None:
    """Let MuJoCo forget the meshes that it has read: it would miss a change within a second."""
    mujoco.mj_clearCache(mujoco.mj_getCache())


def check_model_files(xml: Path) -> None:
    """ValueError for what MuJoCo's parser does not survive: a <model> that names no file.

    Args:
        xml: the model's file; those that it includes or attaches are looked at, too.
    """
    waiting, seen = [xml], set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue  # MuJoCo says what is missing
        seen.add(path)
        text = _COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace"))
        for kind, attributes in _NAMES_FILE.findall(text):
            named = _FILE.search(attributes)
            if kind == "model" and (named is None or not any(named.groups())):
                raise ValueError(f"xml: expected a file in each <model> of {path}, got none")
            if named is not None:  # an attached model's own files lie beside it
                name = next(filter(None, named.groups()), "")
                waiting += [xml.parent / name, path.parent / name]


def stamp(xml: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every file that a model is made of."""
    if not xml.is_file():
        return ()  # compiling it says what is wrong
    check_model_files(xml)
    try:
        files = sorted({str(xml), *mujoco.mju_getXMLDependencies(str(xml))})
        return tuple((f, os.stat(f).st_mtime_ns, os.stat(f).st_size) for f in files)
    except (OSError, ValueError, mujoco.FatalError):
        return ()
