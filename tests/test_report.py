"""The report's page and tables: numbers, safety, bytes, and a browser that reads it."""

import base64
import dataclasses
import json
import math
import re
import shutil

import pytest

import pgcore
from browser import Browser, executable
from campaigns import warm
from latex import check_latex, compiled, needs_pdflatex
from pgcore.cli import main
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.findings import CHAPTERS, Column, Number, Table
from pgcore.studies.engine.tidy import plain_findings
from pgcore.studies.report import write
from pgcore.studies.report.document import Page
from pgcore.studies.report.drawn import draw
from pgcore.studies.report.latex import escaped, table_latex
from pgcore.studies.report.sections import Part
from pgcore.studies.report.sets import Given
from report_case import ASKED, ONE
from report_reading import LEFT, Elements, assert_shown, expected, page_of

HOSTILE = '<script>hacked=1</script>"><img src=x onerror=hacked=1>&_%$'
REPORTED = ("variance", "curvature", "regime")  # in the tests of these studies


@pytest.fixture(scope="module")
def drawn():
    """What each study has drawn, by its name: drawing takes the most time."""
    return {}


@pytest.fixture(scope="module")
def written(folders, drawn, tmp_path_factory):
    """The folder of a report of all of them."""

    def drawing(study, data):
        drawn[study.name] = draw(study, data)
        return drawn[study.name]

    out = tmp_path_factory.mktemp("report") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "draw", drawing)
        assert pgcore.report(list(folders.values()), out) == [out / "report.html"]
    return out


@pytest.fixture(scope="module")
def hostile(runs, tmp_path_factory):
    """A report of the least there is: one trial at one iteration, a line; under an evil name."""
    root = tmp_path_factory.mktemp("hostile")
    agents = {HOSTILE: runs[0]}
    errors = {"held_out_pairs": 300, "variance_iterations": (), "returns": "cut"}
    pgcore.studies.value_prediction(agents, root / "v", **errors, **ONE)
    small = {"sources": (128,), "pairs": (100,), "points": (3, 1)}
    pgcore.studies.landscape(agents, root / "l", **small, **ONE)
    pgcore.report([root / "v", root / "l"], root / "out")
    return root / "out"


def test_every_study_has_a_report():
    assert {*ASKED, *REPORTED} == set(STUDIES)


def test_every_number_of_an_answer_is_the_datasets(folders, written):
    opened = {name: pgcore.open(folder) for name, folder in folders.items()}
    told = [(a, t) for a, t in Elements(page_of(written)).of("b") if a["class"] == "number"]
    assert {a["data-study"] for a, _ in told} == set(folders)
    assert {a["data-how"] for a, _ in told} == {"", "range", LEFT}
    for a, text in told:
        data, how = opened[a["data-study"]], a["data-how"]
        wanted = expected(data, a["data-variable"], json.loads(a["data-at"]), how)
        assert_shown(text, how, wanted)


def test_every_number_of_a_table_sorts_by_the_datasets(folders, written):
    data = pgcore.open(folders["gradient"]).sel(n=64)
    page = page_of(written)
    start = page.index('id="gradient-trials"')
    body = page[start : page.index("</table>", start)]
    values = [re.findall(r'data-v="([^"]*)"', row) for row in body.split("<tr>")[2:]]
    assert len(values) == 8
    for agent, iteration, trial, cosine, *_ in values:
        own = data.sel(agent=agent, iteration=int(iteration), trial=int(trial))
        assert float(cosine) == float(own["pairwise_cosine"])


def test_chapters_and_what_stands_in_them(written):
    found = Elements(page_of(written))
    heads = [text for _, text in found.of("h2")]
    assert heads == [f"{i}. {CHAPTERS[c]}" for i, c in enumerate(list(CHAPTERS)[:3], 1)]
    names = [text.partition(":")[0] for _, text in found.of("h3")]
    assert names == ["gradient", "value", "landscape", "step", "update"]
    assert {s.chapter for s in STUDIES.values()} <= set(CHAPTERS)
    assert len([t for _, t in found.of("summary") if t == "Settings"]) == 5
    page = page_of(written)
    for text in ("sampling.stream_steps", "versions", "mujoco", "engine passes", "seed 0, trials"):
        assert text in page, text
    targets = {a["id"] for _, a, _ in found.found if "id" in a}
    links = [a["href"][1:] for a, _ in found.of("a") if a["href"].startswith("#")]
    assert links and set(links) <= targets


def test_every_figure_of_every_study_is_on_the_page(folders, written, drawn):
    sections = re.split(r"<h3 ", page_of(written))[1:]
    names = [re.findall(r'id="([^"]+)"', section)[0] for section in sections]
    assert names == list(folders) == list(drawn)
    expected = {"gradient": 2, "value": 2, "landscape": 3, "step": 2, "update": 2}
    for name, section in zip(names, sections, strict=True):
        found = [a for a, _ in Elements(f"<h3 {section}".split("</section>")[0]).of("img")]
        assert len(found) == len(drawn[name].pictures) == expected[name], name
        for attributes, picture in zip(found, drawn[name].pictures, strict=True):
            whole = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
            assert whole == picture.png and whole.startswith(b"\x89PNG")
            assert attributes["alt"] == picture.title != picture.name
            assert "Hopper-v2" in picture.title and "\n" not in picture.title


def test_nothing_is_fetched_from_anywhere(written):
    page = page_of(written)
    for attributes in (a for _, a, _ in Elements(page).found):
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attributes.get(name, "#")
            assert value.startswith(("data:", "#")), (name, value[:80])
    assert "http" not in page.replace("http-equiv", "")
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page and "connect-src" not in page


def test_a_hostile_label_is_text(hostile):
    found = Elements(page_of(hostile))
    assert f"Hopper-v2: {HOSTILE}" in [text for _, text in found.of("h1")]
    assert all(a["src"].startswith("data:") and "onerror" not in a for a, _ in found.of("img"))
    assert (hostile / "report.html").read_text().count("<script") == 1  # of a line, no surface
    texts = " ".join(t for _, t in found.of("p"))
    assert "One trial of each agent" in texts


def test_the_same_studies_give_the_same_bytes(folders, written, drawn, tmp_path, monkeypatch):
    """In another process, with other hashes, over an earlier report; by the command."""
    monkeypatch.setattr(write, "draw", lambda study, data: drawn[study.name])
    out = tmp_path / "out"
    pgcore.report([folders["step"]], out)
    (out / "tables" / "mine.tex").write_text("mine")
    before = {p: p.read_bytes() for p in out.rglob("*.*")}
    assert before[out / "report.html"].count(b"<script>") == 1  # without surfaces no Plotly
    (out / "tables" / "old.tex").write_bytes(before[out / "tables" / "step-trials.tex"])
    other = warm.Pgcore("report", folders["step"], "--out", out, log=tmp_path / "log")
    status, said = other.end(200)
    assert status == 0 and "3 LaTeX tables" in said, said
    assert {p: p.read_bytes() for p in out.rglob("*.*")} == before


def test_a_study_that_gives_nothing_itself_is_on_the_page(folders, written, drawn):
    given = Given.of(folders["gradient"])
    study = dataclasses.replace(given.study, chapter="further", findings=plain_findings)
    findings = study.findings(given.data)
    assert {t.name for t in findings.tables} >= {"by-agent-iteration-trial-n"}
    part = Part(dataclasses.replace(given, study=study), findings, drawn["gradient"])
    page = Page([part], "tables").html()
    assert "4. Further" in page and page.count("<img") == 2
    assert "See the tables and figures" in page and drawn["gradient"].text[:20] in page
    first = given.data["pairwise_cosine"].isel(agent=0, iteration=0, trial=0, n=0)
    assert f'data-v="{float(first)!r}"' in page
    assert not (folders["gradient"] / "summary.txt").exists()  # a report leaves studies alone


def test_tables_are_whole_in_latex(written, hostile):
    paths = [*written.glob("tables/*.tex"), *hostile.glob("tables/*.tex")]
    assert len(paths) > 10
    for path in paths:
        check_latex(path.read_text())
    text = (written / "tables" / "gradient-agents.tex").read_text()
    assert r"\toprule" in text and re.search(r"\$-?0\.\d\d\$ \[\$-?\d\.\d\d\$, \$\d", text)
    long = Table("t", "a\n% b", ("a",), (Column("x [%]", "x"),), [(("[",), [Number(-2e-9)])] * 50)
    check_latex(table_latex(long, "of\n\\evil"))
    assert r"\begin{longtable}{lr}" in table_latex(long, "")
    assert escaped("a_b % ü\n") == r"a\_b \% {[}U+00FC]"


@needs_pdflatex
def test_tables_compile(written, hostile, tmp_path):
    paths = [*written.glob("tables/*.tex"), *hostile.glob("tables/*.tex")]
    letters = "".join(map(chr, range(32, 127))) + "é²λ字"
    rows = [((letters[i:],), [Number(1.5e-7, -math.inf, 2)]) for i in range(95)]
    odd = Table("t", "t", (letters,), (Column("x", "x"),), rows)
    (tmp_path / "odd.tex").write_text(table_latex(odd, "source"))
    assert "Output written on all.pdf" in compiled(tmp_path, [*paths, tmp_path / "odd.tex"])


def refused(capsys, *arguments):
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, arguments)])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_bad_inputs_give_one_line(folders, written, tmp_path, capsys):
    gradient, out = folders["gradient"], tmp_path / "out"
    (tmp_path / "empty").mkdir()
    line = refused(capsys, tmp_path / "empty", "--out", out)
    assert line == f"pgcore report: study: {tmp_path / 'empty'} holds no study's datasets\n"
    again = tmp_path / "again"
    shutil.copytree(gradient, again)
    line = refused(capsys, gradient, again, "--out", out)
    assert line.startswith(
        f"pgcore report: studies: {gradient} and {again} are two gradient studies of the same "
    )
    line = refused(capsys, gradient, "--out", folders["value"])
    assert "expected an empty folder, or one of a report" in line and line.count("\n") == 1
    line = refused(capsys, gradient, "--out", gradient / "dataset.zarr" / "zarr.json")
    assert "expected a folder, got the file" in line
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "report.html").write_text("<html>mine</html>")
    assert "which holds other" in refused(capsys, gradient, "--out", tmp_path / "page")
    assert "required" in refused(capsys, gradient)
    assert not out.exists()
    data = pgcore.open(gradient)
    with pytest.raises(ValueError, match=r"^studies: expected at least one folder of a study"):
        pgcore.report([], out)
    with pytest.raises(TypeError, match=r"^studies: expected the folder of a study, or a dataset"):
        pgcore.report([3], out)
    with pytest.raises(ValueError, match=r"^study: the dataset is no study's"):
        pgcore.report([data.drop_attrs()], out)
    nothing = data.where(False).assign_attrs(data.attrs)
    with pytest.raises(ValueError, match=r"^study: nothing of a gradient dataset is finished"):
        pgcore.report(nothing, out)


@pytest.mark.skipif(executable() is None, reason="no browser is installed (Debian: chromium)")
def test_a_reader_sorts_tables_and_turns_surfaces(written, hostile, tmp_path):
    with Browser(tmp_path / "home") as browser:
        browser.open(written / "report.html")
        head = "document.querySelectorAll('#gradient-trials th')[{}].querySelector('button')"
        values = (
            "[...document.querySelectorAll('#gradient-trials tbody tr')]"
            ".map(row => row.cells[{}].dataset.v)"
        )
        browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        before = browser.run(values.format(3))
        assert sorted(before, key=float) != before
        browser.click(head.format(3))
        assert browser.run(values.format(3)) == sorted(before, key=float)
        browser.click(head.format(3))
        assert browser.run(values.format(3)) == sorted(before, key=float, reverse=True)
        sorted_by = "[...document.querySelectorAll('#gradient-trials th')].map(h => h.ariaSort)"
        assert browser.run(sorted_by)[3] == "descending"
        assert set(browser.run(sorted_by)) == {"descending", "none"}
        browser.click(head.format(0))
        assert browser.run(values.format(0)) == ["ppo"] * 4 + ["trpo"] * 4

        place = "document.querySelector('.surface .wide > div')"
        assert not browser.run(f"!!{place}.querySelector('canvas')")  # drawn when it is seen
        browser.run(f"{place}.scrollIntoView({{block: 'center'}})")
        browser.until(f"!!{place}.querySelector('canvas') && !!{place}._fullLayout.scene._scene")
        eye = f"JSON.stringify({place}._fullLayout.scene._scene.getCamera().eye)"
        browser.until(f"{eye} !== undefined")
        first = browser.run(eye)
        x, y, width, height = browser.run(
            f"(() => {{ const r = {place}.getBoundingClientRect(); "
            "return [r.x, r.y, r.width, r.height]; })()"
        )
        start = (x + width / 4, y + height / 2)
        browser.drag(start, (start[0] + 80, start[1] + 40))
        browser.until(f"{eye} !== {json.dumps(first)}")
        buttons = browser.run(
            "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"
        )
        assert buttons and not any("hare" in b or "loud" in b for b in buttons)

        browser.run("document.querySelectorAll('details').forEach(d => { d.open = false; })")
        browser.run("dispatchEvent(new Event('beforeprint'))")
        assert browser.run("[...document.querySelectorAll('details')].every(d => d.open)")
        browser.run("dispatchEvent(new Event('afterprint'))")
        assert not browser.run("[...document.querySelectorAll('details')].some(d => d.open)")
        sizes = "[...document.images].every(i => i.complete && i.naturalWidth > 300)"
        assert browser.run(sizes)

        browser.open(hostile / "report.html")
        assert browser.run("typeof hacked") == "undefined"
        assert browser.run("document.querySelector('h1').textContent") == f"Hopper-v2: {HOSTILE}"
        assert browser.errors == []
        assert browser.foreign() == []
        assert browser.requests  # they are seen
