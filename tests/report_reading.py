"""What stands on a report's page, and what its numbers must be."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

import pgcore
from pgcore.studies.report import write
from pgcore.studies.report.drawn import Drawn

LEFT = "what an update leaves, mean over units"


class Elements(HTMLParser):
    """Elements of a page with their attributes, and the texts in those of some names."""

    def __init__(self, page):
        super().__init__()
        self.found, self._open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        if tag not in ("meta", "link", "img"):
            self._open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag, tag

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def of(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def page_of(out):
    """A page without its scripts, which are the package's own and Plotly's."""
    text = (out / "report.html").read_text()
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def reported(study, out):
    """The page of one study, without its figures, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "draw", lambda study, data: Drawn((), ""))
        pgcore.report(study, out)
    return page_of(out)


def expected(data, variable, at, how):
    """Value, low and high of what a sentence says, computed here from what :func:`open` gives."""
    at = {k: v for k, v in at.items() if k in data[variable].dims}
    own = data[variable].sel(at)
    if how == "":
        ends = [data[f"{variable}{end}"].sel(at) for end in ("", "_low", "_high")]
        return [float(x) for x in ends]
    if how == "range":
        return [math.nan, float(own.min()), float(own.max())]
    if how == LEFT:
        own = own.transpose("trial", "update", "point")
        accepted = data["accepted"].sel({k: v for k, v in at.items() if k != "measure"})
        accepted = accepted.transpose("trial", "update", "point").values
        there = np.isfinite(own.values)
        last = np.take_along_axis(
            own.values, (there.shape[-1] - 1 - there[..., ::-1].argmax(-1))[..., None], -1
        )[..., 0]
        if np.isfinite(accepted).any():  # of a line search what it accepts, or nothing
            last = np.where(accepted == 1, own.values, 0.0).sum(-1)
        values = last.mean(-1)
    else:
        assert how == "mean over trials"
        values = own.values
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return [values.mean(), math.nan, math.nan]
    width = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return [values.mean(), values.mean() - width, values.mean() + width]


def numbers_in(text):
    """The numbers that a reader sees, and the half of their last digit's unit."""
    found = re.findall(r"[−-]?(?:∞|\d+(?:\.\d+)?(?: × 10[−-]?\d+)?)", text)
    for number in (n.replace("−", "-") for n in found):
        head, _, power = number.partition(" × 10")
        size = 10.0 ** int(power or 0)
        digits = len(head.partition(".")[2])
        value = math.inf if "∞" in head else float(head)
        yield value * size, 0.501 * 10.0**-digits * size


def assert_shown(text, how, wanted):
    """What a reader sees of a number and its interval is what the dataset has."""
    wanted = [x for x in wanted if not math.isnan(x)]
    found = list(numbers_in(text))
    if how == "range" and len(found) == 1:  # ends that look the same stand there once
        found *= len(wanted)
    assert len(found) == len(wanted), (text, wanted)
    for (number, half), x in zip(found, wanted, strict=True):
        assert number == x or abs(number - x) <= half, (text, x)
