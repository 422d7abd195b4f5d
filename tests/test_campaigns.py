"""Small versions of the campaigns in tests/campaigns; docs/campaigns.md has the large ones."""

import random

import pytest

from campaigns import bindings, inputs, kills, surroundings
from campaigns.mutate import faulty_bytes, faulty_text, faulty_tree

pytestmark = pytest.mark.timeout(300)


def test_kills(runs, tmp_path):
    rows = kills.campaign(2, 1, 3, tmp_path, ["gradient"], runs)
    assert [row.kills for row in rows] == [2] and [row.terms for row in rows] == [1]
    assert not [row.findings for row in rows if row.findings]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where inputs are made; its run is trained once."""
    return tmp_path_factory.mktemp("inputs")


@pytest.mark.parametrize("kind", inputs.SHARES)
def test_inputs(kind, folder):
    count = 8 if kind == "command lines" else 100
    (result,) = inputs.campaign(count, 5, folder, kind)
    assert not result.kinds_of_findings()
    assert result.refused > count / 10


def test_bindings(tmp_path):
    result = bindings.campaign(1000, 5, tmp_path)
    assert not result.kinds_of_findings()
    assert 100 < result.refused < 900


def test_surroundings(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(surroundings, "leave_out_figures", lambda: None)
    found = surroundings.campaign(tmp_path, runs, ["train"])
    assert not {what: said for what, said in found.items() if said}
    assert len(found) == len(surroundings.ALL) or not surroundings.can_mount()


def test_a_process_that_dies_is_a_finding_and_the_rest_goes_on(folder, monkeypatch):
    """Of a kind that the worker does not know it dies at its start."""
    from campaigns import watched

    monkeypatch.setattr(watched, "HANG", 30.0)
    result = watched.watch(inputs.worker, ("no such kind", 0, 0, 1), folder)
    assert [fault for _, fault, _ in result.findings] == ["the process ends with 1"]


def test_mutations_are_the_same_for_a_seed():
    tree = {"a": [1, {"b": "c"}], "d": None}
    for mutate, valid in ((faulty_bytes, b"abc"), (faulty_text, "a = b c"), (faulty_tree, tree)):
        first, second = (
            [mutate(random.Random(seed), valid) for seed in range(50)] for _ in range(2)
        )
        assert first == second
        assert sum(made != valid for made in first) > 35
