"""Hooks of the docs' site: the README as its first page, and files of the repository beside it.

Pages link to figures, tables and sources outside `docs/`, as they are read in the repository. The
site takes each linked file along, under `repository/`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)((?:#[^)]*)?)\)")


def moved(text: str, home: Path) -> tuple[str, set[Path]]:
    """A page whose links lead to where the site has the files, and the files outside `docs/`."""
    outside: set[Path] = set()

    def link(match: re.Match[str]) -> str:
        target = match[1]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = (home / target).resolve()
        if path.is_relative_to(ROOT / "docs"):
            return f"]({path.relative_to(ROOT / 'docs').as_posix()}{match[2]})"
        if path.is_file():
            outside.add(path)
        return f"](repository/{named(path)}{match[2]})"

    return LINK.sub(link, text), outside


def named(path: Path) -> str:
    """Where the site has a file; a Markdown file is shown as it is written."""
    name = path.relative_to(ROOT).as_posix()
    return f"{name}.txt" if name.endswith(".md") else name


def on_files(files: Any, *, config: Any) -> Any:
    """Add the README as the index, and what pages link to."""
    readme, outside = moved((ROOT / "README.md").read_text(), ROOT)
    files.append(File.generated(config, "index.md", content=readme))
    for path in (ROOT / "docs").glob("*.md"):
        outside |= moved(path.read_text(), path.parent)[1]
    for path in sorted(outside):
        name = f"repository/{named(path)}"
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Links of a page of `docs/` as the site needs them."""
    if page.file.src_uri == "index.md":
        return markdown
    return moved(markdown, ROOT / "docs")[0]


def on_page_content(html: str, *, page: Any, config: Any, files: Any) -> str:
    """Docstrings mark names by roles, which a page of Markdown shows as code alone."""
    return re.sub(r":(?:func|class|data|meth|mod|attr):(?=<code)", "", html)
