"""The paper's twenty figures with ours beside them, as one page, and all landscapes to be turned.

    python experiments/paper_page.py

Writes `docs/paper.md` from the kept studies and the verdicts of `claims.py`, and with `--turn`
`landscapes.html` beside the studies: one file that needs nothing else, read by a browser.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pack
import tyro
import xarray as xr
from paper_figures import FIGURES, PaperFigure
from redraw import names_in

from pgcore.base.files import write_atomically
from pgcore.studies.landscape.page import landscape_surfaces
from pgcore.studies.style import shown

ROOT = Path(__file__).parent.parent
TASKS = {"hopper": "Hopper-v2", "walker": "Walker2d-v2", "humanoid": "Humanoid-v2"}
PAGE = "landscapes.html"


@dataclass(frozen=True)
class Command:
    """Write the page of the paper's figures."""

    results: Path = ROOT / "experiments" / "results"
    """Folder of the kept studies, their pictures and claims.json."""
    out: Path = ROOT / "docs" / "paper.md"
    """The page."""
    turn: bool = False
    """Also write landscapes.html."""


def page(results: Path, out: Path) -> str:
    """The page's text."""
    at = os.path.relpath(results, out.parent)
    parts = [INTRODUCTION.format(at=at, page=PAGE)]
    for figure in FIGURES:
        parts.append(f'\n<a id="figure-{figure.number}"></a>\n')
        parts.append(f"## Figure {figure.number}: {figure.title}\n")
        parts.append(f"*The paper:* {figure.shows} ({_names(figure)})\n")
        if figure.like is not None:
            parts.append(f"*Here:* see [figure {figure.like}](#figure-{figure.like}).\n")
        else:
            parts += _ours(figure, results, at)
        parts.append(f"*Verdicts:* {verdicts(figure, results)}.\n")
    return "\n".join(parts)


INTRODUCTION = """# The paper's figures

Each figure of the paper, in its numbering, with what it shows there and what was measured here.
Every picture is drawn from a kept dataset; what "here" covers is read from these datasets, and the
verdicts are those of [the claims](claims.md), which say by what rule and from how many agents. All
landscapes can be turned in [one page]({at}/{page}) (save it, then open it in a browser). Figures
without a picture have not been run; [reproduction](reproduction.md) has the command.

*`python experiments/paper_page.py --turn` writes this page and that one.*"""


def _names(figure: PaperFigure) -> str:
    """Tasks and algorithms of a figure of the paper."""
    return f"{', '.join(TASKS[t] for t in figure.tasks)}; {' and '.join(figure.algorithms)}"


def _ours(figure: PaperFigure, results: Path, at: str) -> Iterator[str]:
    """Our pictures of a figure, each with what it covers; and what is missing."""
    covered = set()
    for path, name in pictures(figure, results):
        what, algorithms = coverage(name, results)
        task = name.split("-")[0]
        covered |= {(task, a) for a in algorithms}
        yield f"*Here:* {TASKS[task]}, {what}.\n\n![{TASKS[task]}: {what}]({at}/{path.name})\n"
    missing = [
        f"{TASKS[t]} {a}" for t in figure.tasks for a in figure.algorithms if (t, a) not in covered
    ]
    if missing:
        yield f"*Not run:* {', '.join(missing)}.\n"


def pictures(figure: PaperFigure, results: Path) -> Iterator[tuple[Path, str]]:
    """A figure's pictures, each with the name of the study that it is of."""
    names = sorted(names_in(results), key=len, reverse=True)
    beginnings = (p.format(task=t) for t in figure.tasks for p in figure.pictures)
    for beginning in beginnings:
        for path in sorted(results.glob(f"{beginning}*.png")):
            owner = next((n for n in names if path.stem.startswith(n)), None)
            yield path, owner or path.stem


def coverage(name: str, results: Path) -> tuple[str, list[str]]:
    """What a study measured, in words, and its algorithms; of old learning curves scores are kept.

    Returns:
        the words, and "PPO", "TRPO" as far as they are in.
    """
    data = opened(name, results)
    if data is None:
        text = (results / f"{name}.txt").read_text()
        return "scores of every trial are kept", [a for a in ("PPO", "TRPO") if a.lower() in text]
    agents = [shown(a) for a in data["agent"].values]
    trials = data.sizes["trial"]
    words = [f"{' and '.join(agents)}, {trials} trial{'s' * (trials > 1)}"]
    for axis, unit in (("iteration", "iterations"), ("source", "steps from"), ("pairs", "pairs")):
        if axis in data.sizes:
            words.append(f"{unit} {_some(data[axis].values)}")
    if "n" in data.sizes:
        words.append(f"n {_some(data['n'].values)}")
    return "; ".join(words), [a for a in ("PPO", "TRPO") if any(a in x.upper() for x in agents)]


def _some(values: Any) -> str:
    """Values, or the first and the last of many."""
    texts = [f"{v:g}" if abs(v) < 1e5 else f"{v:.0e}".replace("e+0", " x 10^") for v in values]
    return ", ".join(texts) if len(texts) < 6 else f"{texts[0]} to {texts[-1]}"


@cache
def opened(name: str, results: Path) -> xr.Dataset | None:
    """A kept study, as `pgcore.open` gives it, or learning curves; None where there is none."""
    if name not in names_in(results):
        return None
    path = results / f"{name}.zarr.zip"
    data = pack.opened(path) if path.exists() else None
    if data is not None and json.loads(data.attrs["spec"])["study"] == "learning":
        return data
    return pack.study(name, results)


def verdicts(figure: PaperFigure, results: Path) -> str:
    """Of the claims of a figure, those for its tasks and algorithms."""
    rows = json.loads((results / "claims.json").read_text())
    tasks = [TASKS[t] for t in figure.tasks]
    parts = []
    for claim in figure.claims:
        own = [r for r in rows if r["claim"] == claim and r["task"] in tasks]
        own = [r for r in own if r["algorithm"].upper() in figure.algorithms]
        each = (f"{r['task']} {r['algorithm'].upper()} {r['verdict']}" for r in own)
        parts.append(f"[{claim}](claims.md): {', '.join(each)}")
        beside = [
            f"{r['task']} {r['algorithm'].upper()} {part['says']}"
            for r in own
            for part in r["parts"]
            if part["what"].startswith(f"figure {figure.number}:")
        ]
        parts += [f"of this figure, beside {claim}: {', '.join(beside)}"] if beside else []
    return "; ".join(parts)


def turned(results: Path) -> str:
    """One HTML file with the surfaces of every kept landscape, of its first trial.

    Plotly and the surfaces are packed, so that the file stays small: the browser unpacks them.
    """
    from plotly.offline import get_plotlyjs

    figures = []
    for name in names_in(results):
        if "-landscape" not in name:
            continue
        data = opened(name, results)
        assert data is not None
        figures.append(json.loads(landscape_surfaces(_rounded(data.isel(trial=[0]))).to_json()))
    packed = json.dumps({"plotly": get_plotlyjs(), "figures": figures}).encode()
    text = base64.b64encode(gzip.compress(packed, mtime=0)).decode()
    return HTML.replace("PACKED", text)


def _rounded(data: xr.Dataset) -> xr.Dataset:
    """Surfaces to six digits, which no eye can tell from more."""

    def six(values: Any) -> Any:
        size = np.where((values == 0) | np.isnan(values), 1.0, np.abs(values))
        unit = 10.0 ** (np.floor(np.log10(size)) - 5)
        return np.round(values / unit) * unit

    names = ["surrogate", "reward", "reward_error"]
    return data.assign({n: data[n].copy(data=six(data[n].values)) for n in names})


HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Landscapes</title>
<style>body { font: 16px sans-serif; margin: 2em } .surface { height: 720px }</style></head>
<body><h1>Surrogate and true reward around the policies</h1>
<p>Drag to turn, point to read off; the menu below each pair chooses the map.</p>
<div id="all">This page needs JavaScript, and a browser of 2023 or later.</div>
<script id="packed" type="text/plain">PACKED</script>
<script>
"use strict";
async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
unpacked("packed").then(({ plotly, figures }) => {
  const script = document.createElement("script");
  script.textContent = plotly;
  document.head.append(script);
  const all = document.getElementById("all");
  all.textContent = "";
  for (const { data, layout } of figures) {
    const place = document.createElement("div");
    place.className = "surface";
    all.append(place);
    Plotly.newPlot(place, data, layout, { responsive: true });
  }
});
</script></body></html>
"""


def main(command: Command) -> None:
    write_atomically(command.out, page(command.results, command.out).encode())
    if command.turn:
        write_atomically(command.results / PAGE, turned(command.results).encode())


if __name__ == "__main__":
    main(tyro.cli(Command))
