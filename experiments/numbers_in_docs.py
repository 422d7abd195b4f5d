"""The results that the documents quote, from the kept datasets.

    python experiments/numbers_in_docs.py --check   # status 1 where a document says otherwise
    python experiments/numbers_in_docs.py --write   # put the datasets' numbers in
    python experiments/numbers_in_docs.py           # print all that can be quoted

A document marks a quoted number, sentence or table by comments that no reader sees:
`<!--n:gradient.split-->0.88<!--/n-->`. The part before the first dot is a topic, a function of
:data:`TOPICS` that gives texts by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tyro
from quoted.beyond import beyond
from quoted.curvature import curvature
from quoted.forces import forces
from quoted.landscapes import maps, overview
from quoted.outside import outside
from quoted.regime import regime
from quoted.steps import steps
from quoted.studies import gradient, value
from quoted.training import training, updates
from quoted.trial_maps import trial_maps
from quoted.variances import variance
from quoted.verdicts import claims

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "experiments" / "results"
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TOPICS: dict[str, Callable[[Path], dict[str, str]]] = {
    "training": training,
    "updates": updates,
    "gradient": gradient,
    "value": value,
    "maps": maps,
    "overview": overview,
    "claims": claims,
    "steps": steps,
    "variance": variance,
    "outside": outside,
    "beyond": beyond,
    "forces": forces,
    "regime": regime,
    "curvature": curvature,
    "agents": trial_maps,
}
MARK = re.compile(r"<!--n:(\w+)\.([\w.]+)-->(.*?)<!--/n-->", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """Compare, or fill in, what documents quote."""

    check: bool = False
    """Name the quotations that differ, and end with status 1 if there are any."""
    write: bool = False
    """Put the datasets' texts into the documents."""


@cache
def texts(topic: str, results: Path) -> dict[str, str]:
    """All that a topic has to say, by name; a table is set apart by empty lines."""
    if topic not in TOPICS:
        raise SystemExit(f"numbers_in_docs: no topic {topic!r}; topics: {', '.join(TOPICS)}")
    found = TOPICS[topic](results)
    return {k: f"\n\n{v}\n\n" if "\n" in v else v for k, v in found.items()}


def text(topic: str, name: str, results: Path = RESULTS) -> str:
    """What belongs between the marks of a name."""
    found = texts(topic, results)
    if name not in found:
        raise SystemExit(f"numbers_in_docs: {topic} has no {name!r}; it has {', '.join(found)}")
    return found[name]


def filled(document: str) -> str:
    """A document with the datasets' texts between its marks."""
    return MARK.sub(lambda m: f"<!--n:{m[1]}.{m[2]}-->{text(m[1], m[2])}<!--/n-->", document)


def differences(document: str, results: Path = RESULTS) -> list[str]:
    """What a document quotes otherwise than the datasets have it, and marks that are broken."""
    found = [
        f"{m[1]}.{m[2]}: the document says {m[3].strip()!r}, the datasets {own.strip()!r}"
        for m in MARK.finditer(document)
        if m[3] != (own := text(m[1], m[2], results))
    ]
    left = MARK.sub("", document)
    found += [f"a mark without its other half: {m}" for m in re.findall(r"<!--/?n\b.*?-->", left)]
    # Markdown takes a line that begins with a comment as it is, without emphasis and links
    begins = re.findall(r"^ {0,3}(<!--n:[\w.]+-->(?=.).*)$", document, re.MULTILINE)
    return found + [f"a line must not begin with a mark: {line[:60]}" for line in begins]


def main(command: Command) -> int:
    if not (command.check or command.write):
        for topic in TOPICS:
            for name, own in texts(topic, RESULTS).items():
                print(f"{topic}.{name}: {own}")
        return 0
    status = 0
    for path in DOCUMENTS:
        document = path.read_text()
        if command.write and (new := filled(document)) != document:
            path.write_text(new)
            document = new
        for line in differences(document):
            print(f"{path.relative_to(ROOT)}: {line}")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command)))
