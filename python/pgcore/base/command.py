"""Command lines: options become a value of a dataclass, and what is wrong with them one line."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import tyro


def one_of(names: Iterable[str], number: int | None = 1) -> Any:
    """Marks a field that is one of some names, so that its help lists them.

    Args:
        names: that are known.
        number: of values; None: any.
    """
    choices = "{" + ",".join(names) + "}"
    several = f"[{choices} ...]" if number is None else " ".join([choices] * number)
    return tyro.conf.arg(metavar=several)


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
        raise ValueError(f"{plain(one_line(said.getvalue()))}; see {prog} --help") from None


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


_NO_NUMBER = re.compile(
    r"(?P<option>--\S+): (?:no type matching (?P<kind>.*) could be instantiated from|"
    r"Could not find valid parse for arguments:) \[(?P<given>.*?)\](?!\])"
)
_NO_INT = re.compile(r"(--\S+): invalid literal for int\(\) with base 10: (.*)")
_NO_FLOAT = re.compile(r"(--\S+): could not convert string to float: (.*)")


def plain(message: str) -> str:
    """A message of the parser's in words that need no Python: what is no number, and why."""
    message = re.sub(r"^\w+\.\S+: (?=\w+: )", "", message)  # where in a settings' class it is
    message = _NO_INT.sub(r"\1: expected a whole number, got \2", message)
    message = _NO_FLOAT.sub(r"\1: expected a number, got \2", message)
    found = _NO_NUMBER.match(message)
    if found is None:
        return message
    given = re.findall(r"'([^']*)'", found["given"])
    whole = "INT" in (found["kind"] or "") or all(_is_number(x, False) for x in given)
    wrong = [x for x in given if not _is_number(x, whole)] or given
    many = found["kind"] is None or "..." in found["kind"]
    kind = ("whole " if whole else "") + "number" + "s" * many
    text = f"{found['option']}: expected {'' if many else 'a '}{kind}, got {wrong[0]!r}"
    if len(given) > 1 and not _is_number(wrong[0], False):
        text += "; an option takes all that follows it: what is none of its values goes before it"
    return text


def _is_number(text: str, whole: bool) -> bool:
    try:
        int(text) if whole else float(text)
    except ValueError:
        return False
    return True
