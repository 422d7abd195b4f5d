"""Command lines: options become a value of a dataclass, and what is wrong with them one line."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any

import tyro


def parse(kind: Any, prog: str, arguments: Sequence[str], **options: Any) -> Any:
    """The value that a command line describes.

    Args:
        kind: the dataclass, whose fields are the options.
        prog: name of the command, such as "pgcore train".
        arguments: behind it.
        options: of ``tyro.cli``.

    Raises:
        ValueError: something is wrong with an option; the message is one line.
        SystemExit: help was asked for, and printed.
    """
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if not argument or re.fullmatch("--[^=]+=", argument):
            name = argument.rstrip("=") or before or "argument"
            raise ValueError(f"{name}: expected a value, got an empty text")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, prog=prog, args=list(arguments), **options)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(f"{one_line(said.getvalue())}; see {prog} --help") from None


def one_line(text: str) -> str:
    """The message in a box of tyro's, without its frame and what follows a divider in it."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip(" │|") for line in text.splitlines()]
    message: list[str] = []
    for line in lines[1:]:  # the first is the title
        if re.fullmatch(r"[-─╰╯╭╮+ ]+", line):
            if message:
                break
            continue
        message.append(line)
    whole = " ".join(word for line in message for word in line.split())
    return re.sub(r"^Error parsing (\S+): ", r"\1: ", whole)
