"""What every study's report does."""

from __future__ import annotations

from pathlib import Path


def finish_report(out: Path, table: str) -> None:
    """Store the table beside the figures, and print it."""
    (out / "summary.txt").write_text(table)
    figures = sorted(p.name for p in out.iterdir() if p.suffix in (".png", ".html"))
    print(f"{table}\n{out}: {', '.join(figures)}, summary.txt, datasets")
