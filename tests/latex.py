"""LaTeX that tests compile, where pdfTeX is installed (`.ci/run` installs it)."""

import shutil
import subprocess

import pytest

needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex is installed"
)


def compiled(folder, paths, width="", runs=1):
    """What pdfTeX says of a document of these files; it must compile."""
    preamble = rf"\documentclass{{article}}{width}\usepackage{{booktabs,longtable}}"
    body = "\n\n".join(rf"\input{{{path}}}" for path in paths)
    whole = f"{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (folder / "all.tex").write_text(whole)
    for _ in range(runs):
        told = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
            cwd=folder, capture_output=True, text=True, errors="replace", timeout=120,
        )  # fmt: skip
        assert told.returncode == 0, told.stdout[-2000:]
    return told.stdout
