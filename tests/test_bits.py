"""The comparison of two versions: what it calls equal, changed on purpose, or different."""

import numpy as np
import pytest

from conftest import ROOT


@pytest.fixture
def bits(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import bench_bits

    return bench_bits


PLAIN = {"a": np.array([1.0, np.nan, -4.0]), "b": np.array([True, False])}


def changed(**arrays):
    return {**PLAIN, **arrays}


@pytest.mark.parametrize(
    ("after", "rule", "rounding", "text", "sound"),
    [
        (changed(), "", None, "equal to the bit (2 arrays)", True),
        (changed(c=np.zeros(3)), "", None, "equal to the bit (2 arrays)", True),  # b has no c
        (changed(a=np.array([1.0, np.nan, -4.004])), "", None, "DIFFERENT", False),
        (changed(a=np.array([1.0, np.nan, -4.004])), "why", 1e-2, "equal within 1e-03, why", True),
        (changed(a=np.array([1.0, np.nan, -4.4])), "why", 1e-2, "DIFFERENT", False),
        (changed(a=np.array([1.0, np.nan, -9.0])), "why", None, "changed on purpose, why", True),
        (changed(a=np.array([1.0, 2.0, -4.0])), "why", 1e-2, "DIFFERENT", False),  # NaN elsewhere
        (changed(a=PLAIN["a"].astype(np.float32)), "why", 1e-2, "DIFFERENT", False),
        (changed(b=np.array([True, True])), "why", 1e-2, "DIFFERENT", False),
        ({"c": np.zeros(3)}, "why", None, "NOTHING TO COMPARE", False),
    ],
)
def test_every_difference_needs_a_rule(bits, after, rule, rounding, text, sound):
    case = bits.Case("one", lambda _: {}, rule, rounding)
    said, fine = bits.verdict(case, PLAIN, after)
    assert said.startswith(text) and fine == sound


def test_digests_see_bits_and_names(bits):
    negative_zero = {"a": np.array([-0.0])}
    different = [{"a": np.array([0.0])}, negative_zero, {"b": np.array([0.0])}]
    assert len({bits.digest(arrays) for arrays in different}) == 3
    assert 0 < bits.difference(different[0]["a"], negative_zero["a"]) < 1e-300


def test_older_seeds_are_undone(bits, tmp_path):
    from pgcore.studies.engine.sources import Agents

    newer = Agents.seed
    with bits.older_seeds():
        assert Agents.seed is not newer
    assert Agents.seed is newer
