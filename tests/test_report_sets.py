"""Which studies share a page of a report."""

import copy
import dataclasses

import pytest

import pgcore
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.identities import MADE_AS, fullest
from pgcore.studies.engine.tidy import plain_findings
from pgcore.studies.report import write
from pgcore.studies.report.document import Page
from pgcore.studies.report.drawn import Drawn
from pgcore.studies.report.sections import Part
from pgcore.studies.report.sets import Given, sets_of
from report_reading import Elements


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without figures, which take most of the time."""
    monkeypatch.setattr(write, "draw", lambda study, data: Drawn((), ""))


def relabelled(data, change):
    """A dataset that says that it is of other agents."""
    other = data.copy()
    other.attrs = copy.deepcopy(dict(data.attrs))
    other.attrs["moments"] = {k: change(v) for k, v in other.attrs["moments"].items()}
    return other


def test_other_agents_get_a_page_of_their_own(folders, tmp_path, undrawn):
    gradient, value, step = (pgcore.open(folders[n]) for n in ("gradient", "value", "step"))
    other = relabelled(value, lambda digest: "x" + digest[1:])
    pages = pgcore.report([gradient, other, step], tmp_path)
    assert [p.name for p in pages] == ["report.html", "report-2.html"]
    first, second = (Elements(p.read_text()) for p in pages)
    assert [t for _, t in first.of("h3")] == [
        f"{s.name}: {s.question}" for s in (STUDIES["gradient"], STUDIES["step"])
    ]
    (note,) = [t for a, t in first.of("p") if a.get("class") == "note"]
    assert "report-2.html" in note and "value: ppo/0 is another agent there" in note
    assert [t for a, t in second.of("a") if a["href"] == "report.html"] == ["report.html"]
    assert {p.parent.name for p in tmp_path.rglob("value-*.tex")} == {"tables-2"}
    assert {p.parent.name for p in tmp_path.rglob("step-*.tex")} == {"tables"}
    pgcore.report([gradient], tmp_path)
    left = sorted(p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*.*"))
    assert set(left) == {"report.html", "tables"}


def test_an_agent_that_an_older_pgcore_measured_too_is_listed_once(folders, tmp_path, undrawn):
    """The older store tells its arrays alone; two agents of the same arrays stay two."""
    gradient, step = (pgcore.open(folders[n]) for n in ("gradient", "step"))
    older = relabelled(step, lambda identity: identity.partition(MADE_AS)[0])
    (page,) = pgcore.report([gradient, older], tmp_path)
    page_of_new = pgcore.report([gradient, step], tmp_path / "new")[0]
    agents = [Elements(p.read_text()).of("summary") for p in (page, page_of_new)]
    assert agents[0] == agents[1] and agents[0]
    both = [f"a{MADE_AS}{name}" for name in "xy"]
    assert fullest("a", both[:1]) == both[0] == fullest(both[0], both)
    assert fullest("a", both) == "a"


def test_which_studies_share_a_page(folders):
    gradient, value, step = (Given.of(folders[n]) for n in ("gradient", "value", "step"))

    def changed(given, **attributes):
        data = given.data.copy()
        data.attrs = {**given.data.attrs, **attributes}
        return dataclasses.replace(given, data=data)

    moments = gradient.moments
    later = changed(gradient, moments={f"{k}0": v[::-1] for k, v in moments.items()})
    assert sets_of([gradient, value, step]) == [[gradient, value, step]]
    assert sets_of([gradient, later, value]) == [[gradient, value], [later]]
    model = changed(value, model_sha256="another")
    assert sets_of([gradient, model, step]) == [[gradient, step], [model]]
    strange = changed(step, moments={"ppo/7": "7"})
    assert sets_of([gradient, strange]) == [[gradient, strange]]  # nothing speaks against it
    conflicting = changed(value, moments={"ppo/0": "x"})
    # step could go with both, and has agents in common with one
    assert sets_of([conflicting, gradient, step]) == [[conflicting], [gradient, step]]
    page = Page([Part(g, plain_findings(g.data), Drawn((), "")) for g in (gradient, strange)], "t")
    assert "nothing shows that they are from the same runs" in page.html()
