"""What a page says of one study: answer, limits, figures, tables, and where they are from."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from pgcore.studies.engine.findings import Findings, Table
from pgcore.studies.report.drawn import Drawn, Picture
from pgcore.studies.report.markup import (
    answer_html,
    element,
    opened,
    pairs_html,
    script_json,
    table_html,
)
from pgcore.studies.report.remarks import general_limits, provenance, settings
from pgcore.studies.report.sets import Given
from pgcore.studies.style import PLOTLY

_ON_PAPER = 130  # CSS pixels for an inch of a figure: its letters are about those of the text


@dataclass(frozen=True)
class Part:
    """A study on a page: what was given, what it says, what it draws."""

    given: Given
    findings: Findings
    drawn: Drawn

    @property
    def name(self) -> str:
        """Of the study."""
        return self.given.study.name


class Counter:
    """Numbers of figures, over the whole page."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        """The next one."""
        self.count += 1
        return self.count


def slug(text: str) -> str:
    """A text as a part of a file's name or an element's identity."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def study_section(part: Part, count: Counter, file: Callable[[Part, Table], str]) -> str:
    """All of a study.

    Args:
        part: the study.
        count: of the page's figures.
        file: of a study's table in LaTeX, seen from the page.
    """
    study, findings = part.given.study, part.findings
    inner = [element("h3", f"{escape(study.name)}: {escape(study.question)}", id=slug(study.name))]
    answers = [answer_html(answer, study.name) for answer in findings.answers]
    inner.append(
        element("div", *(answers or [element("p", "See the tables and figures.")]), class_="answer")
    )
    limits = [*general_limits(part.given), *findings.limits]
    if limits:
        inner.append(element("h4", "What limits this answer"))
        inner.append(element("ul", *(element("li", escape(t)) for t in limits), class_="limits"))
    inner += [
        _surface(figure, f"{slug(study.name)}-surface-{i}", count)
        for i, figure in enumerate(findings.surfaces, 1)
    ]
    inner += [_picture(picture, count) for picture in part.drawn.pictures]
    for table in findings.tables:
        if table.rows:
            identity = f"{slug(study.name)}-{slug(table.name)}"
            html = table_html(table, identity, file(part, table))
            title = element("p", escape(table.title), class_="title")
            inner.append(title + html if table.main else opened(table.title, html))
    inner.append(pairs_html("Settings", settings(part.given)))
    inner.append(pairs_html("Where the numbers are from", provenance(part.given)))
    if part.drawn.text:
        inner.append(opened("The study's own table", element("pre", escape(part.drawn.text))))
    return element("section", *inner)


def _picture(picture: Picture, count: Counter) -> str:
    data = base64.b64encode(picture.png).decode()
    image = (
        f'<img src="data:image/png;base64,{data}" alt="{escape(picture.title)}" '
        f'width="{round(picture.inches[0] * _ON_PAPER)}" '
        f'height="{round(picture.inches[1] * _ON_PAPER)}">'
    )
    caption = element("figcaption", f"Figure {count.next()}. {escape(picture.title)}")
    return element("figure", image, caption)


def _surface(figure: Any, identity: str, count: Counter) -> str:
    """A figure of Plotly: its data, and a place where the page draws it."""
    whole = json.loads(figure.to_json())
    layout = whole["layout"]
    title = str(layout.pop("title", {}).get("text", ""))
    layout.pop("height", None)
    layout["modebar"] = {"orientation": "v"}
    layout["margin"] = {"l": 0, "r": 0, "t": 40, "b": 60}
    told = {"data": whole["data"], "layout": layout, "config": PLOTLY}
    shown = script_json(json.dumps(told, sort_keys=True))
    place = element("div", id=identity, role="img", aria_label=title)
    data = element("script", shown, type="application/json", id=f"{identity}-data")
    hint = "Drag to turn, point to read; the menu has all maps."
    caption = element("figcaption", f"Figure {count.next()}. {escape(title)}. {hint}")
    return element("figure", element("div", place, class_="wide"), data, caption, class_="surface")
