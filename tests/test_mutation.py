"""The lists of mutation runs stay true of the code; the runs themselves are `make mutation`."""

import pytest

from conftest import ROOT
from mutation import core, rooms

EDITS = core.edits()


def test_every_edit_is_one_of_the_code(tmp_path):
    for name in core.TESTS:
        text = (ROOT / "cpp" / "pgcore" / name).read_text()
        for edit in (e for e in EDITS if e.file == name):
            (tmp_path / name).write_text(text)
            edit.apply(tmp_path)
            assert (tmp_path / name).read_text() != text
    assert {e.file for e in EDITS} == set(core.TESTS)
    assert len({(e.file, e.before, e.after) for e in EDITS}) == len(EDITS)


def test_an_edit_that_finds_nothing_is_refused(tmp_path):
    (tmp_path / "returns.cpp").write_text("two, two")
    for before in ("one", "two"):
        with pytest.raises(ValueError, match=f"expected once: {before}"):
            core.Edit("returns.cpp", before, "").apply(tmp_path)


def test_tests_and_explanations_are_of_files_that_are_there():
    for room, tests in rooms.ROOMS.items():
        assert (ROOT / "python" / "pgcore" / room).is_file()
        assert all((ROOT / "tests" / name).is_file() for name in tests)
    for file, before, _ in rooms.explained():
        text = (ROOT / "python" / "pgcore" / file).read_text()
        assert all(line.strip() in text for line in before.splitlines()), before


def test_a_mutant_is_known_by_its_lines():
    head = "--- pgcore/a.py\n+++ pgcore/a.py\n@@ -1,2 +1,2 @@\n"
    diff = head + " def f(x):\n-    return x + 1\n+    return x - 1\n"
    assert rooms.changed(diff) == ("a.py", "return x + 1", "return x - 1")
