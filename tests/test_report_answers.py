"""What a report answers: means over trials, and what few of them decide."""

import math

import pytest
import xarray as xr

import pgcore
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.findings import Number, number_text
from pgcore.studies.engine.sentences import against_zero, named, sampling
from pgcore.studies.gradient.findings import gradient_findings
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.landscape.findings import landscape_findings
from pgcore.studies.landscape.opening import landscape_quantities
from report_reading import assert_shown, expected

DECIDED = ("sign_agreement", "rank_correlation", "one_step_change")


def test_the_numbers_of_several_landscapes_are_means(folders):
    """Of one trial, and of another whose rewards are the other way round, and larger."""
    raw = pgcore.open(folders["landscape"])
    names = ("surrogate", "kl", "step_norm", "reward", "reward_error", "trajectories")
    both = [raw[[*names, "difference", "difference_error", "paired_count"]]] * 2
    both[1] = both[1].assign(reward=-2 * both[1]["reward"])
    data = landscape_quantities(xr.concat([d.squeeze("trial") for d in both], "trial"))
    (answer,) = landscape_findings(data.assign_coords(trial=[0, 1])).answers
    numbers = [p for p in answer.parts if isinstance(p, Number)]
    assert {n.variable for n in numbers} == {f"{v}_over_trials" for v in DECIDED}
    assert "2 trials" in answer.unit
    differ = 0  # trials can agree in a share of few points by chance
    for n in numbers:
        wanted = expected(data, n.variable, n.at, n.how)
        assert n.how == ""  # what the dataset itself says over trials
        differ += len(set(wanted)) == 3
        assert_shown(n.text(), n.how, wanted)
    assert differ > len(numbers) / 2


@pytest.mark.parametrize("trials", [1, 2, 5, 6])
def test_fewer_than_six_trials_decide_nothing(folders, trials):
    """The same two trials again and again: what counts is how many there are."""
    data = pgcore.open(folders["gradient"])
    kept = ["gram", "dot_true", "step_gram", "step_dot_true", "trajectories", "streams"]
    kept += ["stream_square", "stream_pairs", "true_square", "half_dot", "half_squares"]
    kept += ["step_square", "run_seed", "run_trial"]
    many = data[kept].isel(trial=[i % 2 for i in range(trials)])
    (answer,) = gradient_findings(
        gradient_quantities(many.assign_coords(trial=range(trials)))
    ).answers
    decides = "By its 95 % interval" in answer.text()
    assert decides == (trials >= 6)
    assert ("nothing about" in answer.unit) == (trials < 6)
    assert str(trials if trials > 1 else "One trial") in answer.unit


def test_the_answers_of_all_studies_with_few_trials_decide_nothing(folders):
    for name, folder in folders.items():
        for answer in STUDIES[name].findings(pgcore.open(folder)).answers:
            assert "decide" in answer.unit and "nothing about" in answer.unit, name
            assert "By its 95 % interval" not in answer.text(), name
            assert "Where ascent stops" not in answer.text(), name


def test_sentences():
    low, high, none = Number(-1, -2, -0.5), Number(1, 0.5, 2), Number(0, -1, 1)
    text = against_zero([("a", low), ("b", high), ("c", none), ("d", high)], "it")
    assert text == (
        " By its 95 % interval it is below 0 for a; above 0 for b, d; not clear of 0 for c."
    )
    many = [(name, Number(float(i))) for i, name in enumerate("dabc")]
    said = "".join(p if isinstance(p, str) else p.text() for p in named(many))
    assert said == "from 0 (d) to 3 (c), 4 agents"
    assert named([("a", Number(math.nan))]) == ["not known"]
    assert sampling([3, 2], "").startswith("Means over 2 to 3 trials of each agent")
    texts = [number_text(x) for x in (0.0, -0.0, 0.01234, -12.34, 1234.5, 2e5, 3e-4, math.inf)]
    assert texts == ["0", "0", "0.0123", "-12.3", "1234", "2.0e+05", "3.0e-04", "inf"]
    assert number_text(-0.001, 2) == "0.00"
    assert Number(0.0129, -0.0964, 0.122).text() == "0.01 [-0.10, 0.12]"
    assert Number(0.35, 0.01, 25.0).text() == "0.35 [0.01, 25.00]"  # a factor is not 0
    assert Number(0.35, -20.0, 25.0).text() == "0 [-20, 25]"
    assert Number(math.nan, 0.1, 0.1, digits=2).text() == "0.10"
    assert Number(math.nan, 0.1, 0.25, digits=2).text() == "0.10 to 0.25"
