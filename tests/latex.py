"""LaTeX that tests compile, where pdfTeX is installed (`.ci/run` installs it)."""

import re
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


def check_latex(text):
    """What a compiler would complain of: braces, environments, columns, special letters."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert all(line.isascii() for line in lines)
    bare = re.sub(r"\\[{}$&#%_]", "", "\n".join(lines))
    assert bare.count("{") == bare.count("}")
    (begin,) = re.findall(r"\\begin\{(\w+)\}\{([lr]+)\}", bare)
    assert re.findall(r"\\end\{(\w+)\}", bare) == [begin[0]]
    rows = [line for line in bare.splitlines() if line.endswith(r"\\")]
    assert len(rows) > 1
    for row in rows:
        assert row.count("&") == len(begin[1]) - 1, row
        assert row.count("$") % 2 == 0, row
        assert not re.search(r"[#%~^_]", re.sub(r"10\^\{-?\d+\}", "", row)), row
        assert not row.startswith(("[", "*")), row
        known = {"textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater"}
        known |= {"textbar", "char", "infty", "times"}
        assert set(re.findall(r"\\([a-z]+)", row)) <= known, row
