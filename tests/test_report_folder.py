"""What a report leaves alone in its folder."""

import shutil

import pgcore
from pgcore.studies.report import write
from pgcore.studies.report.drawn import Drawn


def test_copies_of_a_report_are_the_users(folders, tmp_path, monkeypatch):
    """What it wrote is replaced; what has another name is not its own, whatever is in it."""
    monkeypatch.setattr(write, "draw", lambda study, data: Drawn((), ""))
    pgcore.report([folders["gradient"], folders["value"]], tmp_path)
    shutil.copytree(tmp_path / "tables", tmp_path / "tables-paper")
    shutil.copy(tmp_path / "report.html", tmp_path / "report-before.html")
    copies = [tmp_path / "report-before.html", *(tmp_path / "tables-paper").iterdir()]
    copies = {p: p.read_bytes() for p in copies}
    before = set((tmp_path / "tables").iterdir())
    pgcore.report(folders["gradient"], tmp_path)
    assert set((tmp_path / "tables").iterdir()) < before, "tables of the value study are gone"
    assert len(copies) > 2 and all(p.read_bytes() == content for p, content in copies.items())
