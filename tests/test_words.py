"""How numbers and things are written."""

import math

import pytest

from pgcore.base.words import interval_text


@pytest.mark.parametrize(
    ("numbers", "least", "text"),
    [
        ((11.1, -7.1, 29.3), {"digits": 1}, "11.1 [-7.1, 29.3]"),
        ((-0.03, -0.04, -0.02), {"digits": 1}, "-0.030 [-0.040, -0.020]"),
        ((0.3, 0.2, 0.45), {"digits": 1, "ends": 0, "sign": "+"}, "+0.30 [+0.20, +0.45]"),
        ((36.8, -4.0, 77.0), {"digits": 1, "ends": 0, "sign": "+"}, "+36.8 [-4, +77]"),
        ((1e-5, 0.0, 2e-5), {"digits": 1}, "0.000 [0.000, 0.000]"),
        ((0.003, -0.019, 0.023), {"digits": 2, "more": 0}, "0.00 [-0.02, 0.02]"),
        ((0.02, -0.001, 0.4), {"digits": 2}, "0.02 [0.00, 0.40]"),
        ((-0.001, math.nan, math.nan), {"digits": 2}, "0.00"),
        ((0.5, 0.0, math.inf), {"digits": 1}, "0.5 [0.0, inf]"),
        ((math.nan, 0.0, 1.0), {"digits": 1}, "-"),
    ],
)
def test_the_text_of_an_interval(numbers, least, text):
    """A narrow one gets digits until its ends differ; what is written 0 has no minus."""
    assert interval_text(*numbers, **least) == text
