"""Tables in LaTeX with booktabs, whatever their texts hold."""

from __future__ import annotations

import re
from typing import Any

from pgcore.studies.engine.findings import Number, Table
from pgcore.studies.report.markup import heading

MARK = "% Written by pgcore report"
_LONGEST = 45  # rows of a table that has to fit on a page
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "-": "{-}",  # two would be a dash
    "[": "{[}",  # after a line break it would be its length
    "*": "{*}",
    "`": "{`}",
    "'": "{'}",
    "²": r"$^2$",
    "±": r"$\pm$",
    "−": r"$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "Σ": r"$\Sigma$",
    "σ": r"$\sigma$",
    "λ": r"$\lambda$",
    "γ": r"$\gamma$",
}
_POWER = re.compile(r"(-?\d+\.\d+)e([+-])0*(\d+)")


def escaped(text: str) -> str:
    """A text that LaTeX sets as it is; letters that pdfTeX may not know are named by number."""
    return "".join(_escaped(letter) for letter in " ".join(text.split()))


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isascii():
        return letter if letter.isprintable() else ""
    return f"{{[}}U+{ord(letter):04X}]"


def number_latex(number: Number) -> str:
    """A number with its interval, each in math mode."""
    value, low, high = map(_math, number.texts())
    if not number.known:
        return "{-}"
    if value == "{-}":
        return low if low == high else f"{low} to {high}"
    return value + (f" [{low}, {high}]" if number.has_interval else "")


def _math(text: str) -> str:
    if text == "-":
        return "{-}"
    text = _POWER.sub(lambda m: rf"{m[1]}\times 10^{{{m[2].strip('+')}{m[3]}}}", text)
    return f"${text.replace('inf', chr(92) + 'infty')}$"


def table_latex(table: Table, source: str) -> str:
    """A tabular, or a longtable where a page is too short for it.

    Args:
        table: that has rows.
        source: which study of which agents it is of; one line.
    """
    kind = "tabular" if len(table.rows) <= _LONGEST else "longtable"
    heads = [*table.index, *map(heading, table.columns)]
    lines = [
        f"{MARK}; make it again rather than change it.",
        f"% {_comment(source)}",
        f"% {_comment(table.title)}",
        *(f"% {_comment(f'{c.title}: {c.meaning}')}" for c in table.columns if c.meaning),
        r"% needs \usepackage{booktabs}" + (r", \usepackage{longtable}" * (kind == "longtable")),
        rf"\begin{{{kind}}}{{{'l' * len(table.index)}{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(map(escaped, heads)) + r" \\",
        r"\midrule",
        *([r"\endhead"] if kind == "longtable" else []),
    ]
    for places, numbers in table.rows:
        cells = [*map(_cell, places), *map(number_latex, numbers)]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", rf"\end{{{kind}}}"]) + "\n"


def _cell(place: Any) -> str:
    if isinstance(place, int | float):
        return _math(f"{place:g}" if isinstance(place, float) else str(place))
    return escaped(str(place))


def _comment(text: str) -> str:
    return " ".join(text.split())
