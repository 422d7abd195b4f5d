"""HTML of texts, numbers and tables; whatever comes from outside is escaped here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from pgcore.studies.engine.findings import Answer, Column, Number, Table

_POWER = re.compile(r"(-?\d+\.\d+)e([+-])0*(\d+)")


def element(name: str, *inner: str, **attributes: Any) -> str:
    """An element around HTML; attributes are escaped, ``class_`` is class, empty ones go."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value != "" or key.startswith("data")
    )
    return f"<{name}{told}>{''.join(inner)}</{name}>"


def typeset(number: str) -> str:
    """A number's text with a true minus, powers of ten and infinity; a dash: not known."""
    if number == "-":
        return "–"
    text = _POWER.sub(lambda m: f"{m[1]} × 10<sup>{m[2].strip('+')}{m[3]}</sup>", escape(number))
    return text.replace("inf", "∞").replace("-", "−")


def number_html(number: Number, study: str) -> str:
    """A number of a sentence, with what it is in the dataset of a study."""
    at = {str(k): _plain(v) for k, v in number.at.items()}
    place = ", ".join(f"{k} {v}" for k, v in at.items())
    what = f"{study}: {number.variable} at {place}" + (f"; {number.how}" if number.how else "")
    return element(
        "b",
        typeset(number.text()) if number.known else "not known",
        class_="number",
        title=what,
        data_study=study,
        data_variable=number.variable,
        data_at=json.dumps(at, sort_keys=True),
        data_how=number.how,
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def answer_html(answer: Answer, study: str) -> str:
    """The sentences, and what was sampled."""
    parts = [escape(p) if isinstance(p, str) else number_html(p, study) for p in answer.parts]
    return element("p", *parts) + element("p", escape(answer.unit), class_="unit")


def heading(column: Column) -> str:
    """A column's heading with its unit."""
    plain = column.unit in ("", "1", column.title)
    return column.title + ("" if plain else f" ({column.unit})")


def table_html(table: Table, identity: str, file: str) -> str:
    """A table whose headings sort it, and below it what its columns are.

    Args:
        table: that has rows.
        identity: of the element.
        file: of the same table in LaTeX.
    """
    heads = [_head(name, "") for name in table.index]
    heads += [_head(heading(c), c.meaning, "n") for c in table.columns]
    body = "".join(_row(places, numbers) for places, numbers in table.rows)
    whole = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", body),
        id=identity,
        class_="sortable",
        aria_label=table.title,
    )
    return element("div", whole, class_="wide", tabindex=0) + _legend(table.columns, file)


def _head(title: str, meaning: str, kind: str = "") -> str:
    button = element(
        "button", escape(title), type="button", **{"title": meaning} if meaning else {}
    )
    return element("th", button, scope="col", aria_sort="none", class_=kind)


def _row(places: Sequence[Any], numbers: Sequence[Number]) -> str:
    cells = [element("td", escape(_place(p)), data_v=_place(p)) for p in places]
    for number in numbers:
        key = repr(number.key) if number.known else ""
        cells.append(element("td", typeset(number.text()), class_="n", data_v=key))
    return element("tr", *cells)


def _place(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _legend(columns: Sequence[Column], file: str) -> str:
    texts = [f"{c.title}: {c.meaning}" for c in columns if c.meaning]
    told = escape("; ".join(texts)) + ". " if texts else ""
    return element("p", told, "LaTeX: ", element("code", escape(file)), class_="legend")


def pairs_html(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, to be opened."""
    body = "".join(
        element("tr", element("th", escape(k), scope="row"), element("td", escape(v)))
        for k, v in rows
    )
    return opened(title, element("div", element("table", body, class_="pairs"), class_="wide"))


def opened(title: str, *inner: str) -> str:
    """What a reader opens; on paper it is open."""
    return element("details", element("summary", escape(title)), *inner)


def script_json(text: str) -> str:
    """JSON that can stand in a script element, whatever its texts hold."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
