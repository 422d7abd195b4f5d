"""The page: chapters by question, and under each the studies that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from pgcore.base.version import __version__
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.findings import CHAPTERS, Table
from pgcore.studies.engine.identities import fullest, named_moment
from pgcore.studies.report.markup import element, opened
from pgcore.studies.report.sections import Counter, Part, slug, study_section

GENERATOR = '<meta name="generator" content="pgcore report">'
# what the browser lets the page do: nothing but what is in it (Plotly compiles code of its own)
_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)


@dataclass(frozen=True)
class Page:
    """A page of one set of agents.

    Attributes:
        parts: its studies; one of a kind.
        folder: of its LaTeX tables, beside it.
        others: what is said of the pages of other agents, with their file names.
    """

    parts: Sequence[Part]
    folder: str
    others: Sequence[tuple[str, str]] = ()

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.parts[0].given.task[0]

    @property
    def labels(self) -> list[str]:
        """Of all agents, or the algorithms of a grid, in order."""
        return list(dict.fromkeys(label for p in self.parts for label in p.given.labels))

    @property
    def title(self) -> str:
        """What the page is about."""
        return f"{self.task}: {', '.join(self.labels)}"

    def file(self, part: Part, table: Table) -> str:
        """Where the table is in LaTeX, seen from the page."""
        return f"{self.folder}/{slug(part.name)}-{slug(table.name)}.tex"

    def html(self) -> str:
        """All of it."""
        chapters = {c: [p for p in self.parts if p.given.study.chapter == c] for c in CHAPTERS}
        if not chapters["further"]:
            del chapters["further"]
        body = [_header(self), _contents(chapters), _agents(self)]
        count = Counter()
        for number, (chapter, parts) in enumerate(chapters.items(), 1):
            body.append(_chapter(self, number, chapter, parts, count))
        body.append(_footer())
        scripts = [_resource("page.js")]
        if any(p.findings.surfaces for p in self.parts):
            from plotly.offline import get_plotlyjs

            scripts.insert(0, get_plotlyjs())
        body += [element("script", script) for script in scripts]
        return _document(self.title, "\n".join(body))


def _resource(name: str) -> str:
    return files("pgcore.studies.report").joinpath(name).read_text(encoding="utf-8")


def _document(title: str, body: str) -> str:
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head = [
        '<meta charset="utf-8">',
        GENERATOR,
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        policy,
        '<link rel="icon" href="data:,">',
        element("title", escape(title)),
        element("style", _resource("page.css")),
    ]
    top = "\n".join(head)
    whole = f"<head>\n{top}\n</head>\n<body>\n{body}\n</body>"
    return f'<!DOCTYPE html>\n<html lang="en">\n{whole}\n</html>\n'


def _header(page: Page) -> str:
    names = ", ".join(part.name for part in page.parts)
    lines = [element("h1", escape(page.title))]
    lines.append(element("p", f"Studies: {escape(names)}", class_="lead"))
    for text, file in page.others:
        link = element("a", escape(file), href=file)
        told = f"Other agents, on a page of their own: {link} ({escape(text)})"
        lines.append(element("p", told, class_="note"))
    return element("header", *lines)


def _contents(chapters: Mapping[str, Sequence[Part]]) -> str:
    items = []
    for number, (chapter, parts) in enumerate(chapters.items(), 1):
        inner = [element("a", escape(CHAPTERS[chapter]), href=f"#chapter-{number}")]
        if parts:
            links = [
                element("li", element("a", escape(p.name), href=f"#{slug(p.name)}")) for p in parts
            ]
            inner.append(element("ul", *links))
        items.append(element("li", *inner))
    return element("nav", element("ol", *items), aria_label="Contents")


def _agents(page: Page) -> str:
    """Which agents were measured, by which study, and what identifies them."""
    told: dict[str, set[str]] = {}
    for part in page.parts:
        for name, identity in part.given.moments.items():
            told.setdefault(name, set()).add(identity)
    found: dict[tuple[str, int, int, str], list[str]] = {}
    for part in page.parts:
        for name, identity in part.given.moments.items():
            key = (*named_moment(name), fullest(identity, told[name]))
            found.setdefault(key, []).append(part.name)
    places = {label: i for i, label in enumerate(page.labels)}
    ordered = sorted(found, key=lambda k: (places.get(k[0], len(places)), *k))
    heads = [element("th", h, scope="col") for h in ("agent", "iteration", "digest", "studies")]
    rows = []
    for key in ordered:
        label, iteration, first, identity = key
        when = f"{iteration}, from trial {first}" if first else str(iteration)
        cells = (label, when, _short(identity), ", ".join(found[key]))
        rows.append(element("tr", *(element("td", escape(text)) for text in cells)))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    notes = [element("p", escape(text), class_="note") for text in _strangers(page.parts)]
    wide = element("div", table, class_="wide")
    return "".join(notes) + opened(f"The agents ({len(rows)})", wide)


def _short(digest: str) -> str:
    first, *rest = digest.split(" ", 1)
    return " ".join([first[:12], *rest])


def _strangers(parts: Sequence[Part]) -> list[str]:
    """What is said of studies that share no agent with the others."""
    if len(parts) < 2:
        return []
    alone = [p.name for p in parts if not any(p.given.shared(o.given) for o in parts if o is not p)]
    if not alone:
        return []
    return [
        f"No other study on this page measured the agents of {', '.join(alone)} (label and "
        "iteration): nothing shows that they are from the same runs."
    ]


def _chapter(page: Page, number: int, chapter: str, parts: Sequence[Part], count: Counter) -> str:
    inner = [element("h2", f"{number}. {escape(CHAPTERS[chapter])}", id=f"chapter-{number}")]
    if not parts:
        asking = [s.name for s in STUDIES.values() if s.chapter == chapter]
        text = f"No study on this page asks this. Studies that do: {', '.join(asking)}."
        inner.append(element("p", text))
    inner += [study_section(part, count, page.file) for part in parts]
    return element("section", *inner)


def _footer() -> str:
    text = (
        f"Made by pgcore {__version__}, report. A click on a heading sorts its table. Every number "
        "in a sentence says where it is in the dataset when it is pointed at. Brackets hold 95 % "
        "intervals."
    )
    return element("footer", element("p", escape(text)))
