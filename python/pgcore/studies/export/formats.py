"""The tidy table as text or bytes of each format."""

from __future__ import annotations

import importlib.util
import io
import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from pgcore.base.version import installation
from pgcore.studies.report.latex import escaped

MARK = "Written by pgcore export"


def csv(frame: pd.DataFrame, source: str) -> bytes:
    """Numbers with all their digits; what is missing is empty."""
    return str(frame.to_csv(index=False, lineterminator="\n")).encode()


def parquet(frame: pd.DataFrame, source: str) -> bytes:
    """See :func:`check_parquet`."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def check_parquet() -> None:
    """ValueError where the library that writes it is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ValueError(
            "to: parquet needs pyarrow, pgcore's extra parquet; in pgcore's folder: "
            + installation("'.[parquet]'")
        )


def json_rows(frame: pd.DataFrame, source: str) -> bytes:
    """A list of rows; what is missing is null, and what is infinite "inf" or "-inf"."""
    rows = [
        json.dumps(dict(zip(frame.columns, map(_json_value, row), strict=True)), ensure_ascii=False)
        for row in frame.itertuples(index=False)
    ]
    return ("[\n" + ",\n".join(rows) + "\n]\n").encode()


def _json_value(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value.item() if hasattr(value, "item") else value


def markdown(frame: pd.DataFrame, source: str) -> bytes:
    """A table of four digits, and below it what the quantities are."""
    shown, same = _for_people(frame)
    right = ["---:" if _is_number(shown, name) else "---" for name in shown.columns]
    lines = [f"<!-- {MARK}: {source} -->", _line(shown.columns), _line(right)]
    lines += [_line(map(_bars, map(_text, row))) for row in shown.itertuples(index=False)]
    lines += ["", *([f"In all rows: {same}.", ""] if same else [])]
    lines += [f"- `{name}`: {meaning}" for name, meaning in _meanings(frame).items()]
    return ("\n".join(lines) + "\n").encode()


def latex(frame: pd.DataFrame, source: str) -> bytes:
    """A longtable with booktabs; what the quantities are stands in comments."""
    shown, same = _for_people(frame)
    places = "".join("r" if _is_number(shown, name) else "l" for name in shown.columns)
    heads = " & ".join(escaped(name.replace("_", " ")) for name in shown.columns)
    lines = [
        f"% {MARK}: {' '.join(source.split())}",
        *(f"% {name}: {' '.join(text.split())}" for name, text in _meanings(frame).items()),
        r"% needs \usepackage{booktabs}, \usepackage{longtable}",
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{{places}}}",
        r"\toprule",
        heads + r" \\",
        r"\midrule",
        r"\endhead",
    ]
    for row in shown.itertuples(index=False):
        lines.append(" & ".join(map(_cell, row)) + r" \\")
    lines += [r"\bottomrule", r"\end{longtable}"]
    if same:
        lines.append(rf"\noindent In all rows: {escaped(same)}.")
    return "\n".join([*lines, r"\par\endgroup", ""]).encode()


def _for_people(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """What fits on a page: less the columns that are the same in all rows, and these in words."""
    shown = frame.drop(columns="description")
    places = shown.columns.drop(["quantity", "value", "low", "high"])
    same = [name for name in places if len(shown) > 1 and shown[name].nunique(dropna=False) == 1]
    words = [f"{name} {text}" for name in same if (text := _text(shown[name].iloc[0]))]
    return shown.drop(columns=same), ", ".join(words)


def _meanings(frame: pd.DataFrame) -> dict[str, str]:
    return dict(zip(frame["quantity"], frame["description"], strict=True))


def _is_number(frame: pd.DataFrame, name: str) -> bool:
    return bool(pd.api.types.is_numeric_dtype(frame[name]))


def _text(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(value: Any) -> str:
    text = _text(value)
    if not isinstance(value, float) or not text:
        return escaped(text.replace("_", " "))
    number, _, power = text.replace("inf", r"\infty").partition("e")
    return f"${number}{power and rf'{chr(92)}times 10^{{{int(power)}}}'}$"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _bars(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


# name -> suffix of the file, and what makes its bytes of a table and a line on its source
FORMATS: dict[str, tuple[str, Callable[[pd.DataFrame, str], bytes]]] = {
    "csv": (".csv", csv),
    "parquet": (".parquet", parquet),
    "latex": (".tex", latex),
    "markdown": (".md", markdown),
    "json": (".json", json_rows),
}
READ_BY_PEOPLE = ("latex", "markdown")
