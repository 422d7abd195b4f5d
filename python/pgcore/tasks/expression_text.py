"""The text of an expression and its tree, and where in the text something is wrong."""

from __future__ import annotations

import ast
import re
import warnings

MOST_CHARACTERS = 4000
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\^|#""")


class ExpressionError(ValueError):
    """What is wrong with an expression, at a node of its tree."""

    def __init__(self, text: str, node: ast.AST | None = None) -> None:
        super().__init__(text)
        self.node = node

    def located(self, text: str) -> str:
        """The message with the place in ``text``."""
        if self.node is None:
            return str(self)
        plain = _plain(text)
        start = len(plain.encode()[: self.node.col_offset].decode())  # type: ignore[attr-defined]
        part = ast.get_source_segment(plain, self.node) or ""
        shown = part if len(part) <= 40 else part[:37] + "..."
        return f"at character {_place(text, start)}, {shown!r}: {self}"


def parse(text: str) -> ast.expr:
    """The tree of an expression, with ``^`` as the power.

    Raises:
        ExpressionError: it is none, or too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"expected at most {MOST_CHARACTERS} characters, got {len(text)}")
    if any(match[0] == "#" for match in _TOKENS.finditer(text)):
        raise ExpressionError("expected an expression without a comment (#)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in names
            return ast.parse(_plain(text), mode="eval").body
    except SyntaxError as error:
        near = f" near character {_place(text, error.offset - 1)}" if error.offset else ""
        raise ExpressionError(f"expected an expression; {error.msg}{near}") from None
    except (RecursionError, MemoryError):
        raise ExpressionError("expected an expression with less parts inside each other") from None
    except ValueError as error:
        raise ExpressionError(f"expected an expression; {error}") from None


def _plain(text: str) -> str:
    """The text as Python reads it: in one line, with its own sign of a power."""
    return _TOKENS.sub(lambda m: "**" if m[0] == "^" else m[0], _one_line(text))


def _one_line(text: str) -> str:
    return re.sub(r"\s", " ", text).strip()


def _place(text: str, offset: int) -> int:
    """The character of ``text``, from 1 on, of a place in its plain form."""
    seen = 0  # signs of a power ahead of the place: each is one character longer there
    for match in _TOKENS.finditer(_one_line(text)):
        seen += match[0] == "^" and match.start() + seen < offset
    return max(0, offset - seen) + len(text) - len(text.lstrip()) + 1
