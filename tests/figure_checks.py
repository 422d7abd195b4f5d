"""What a reader needs of any figure, read from the drawn figure; and how colours are seen."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.colors import to_rgb

# words that say what an axis counts, where no unit in brackets does
COUNTED = ("cosine", "iteration", "pairs", "passes", "fraction", "step", "error", "explained")
# linear RGB as people without green, and without red cones see it (Machado et al. 2009, severity 1)
SEEN = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,
}
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(rgb):
    """sRGB in 0..1 [..., 3] to linear RGB."""
    rgb = np.asarray(rgb, dtype=float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(color, seen=None):
    """CIELAB (D65) of a colour, as it is or as somebody sees it."""
    rgb = linear(to_rgb(color))
    if seen is not None:
        rgb = np.clip(np.array(SEEN[seen]) @ rgb, 0, 1)
    t = _XYZ @ rgb / (_XYZ @ np.ones(3))
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def panels(figure):
    """The axes of a figure, without those that stand on another's side."""
    return [ax for ax in figure.axes if not ax.get_label().startswith("<colorbar>")]


def assert_titled(figure, task, *agents):
    """Task and agents are in the title of the figure."""
    title = figure.get_suptitle()
    assert title.startswith(f"{task}: ")
    for agent in agents:
        assert agent in title


def assert_labelled(figure):
    """Outer axes say what is on them, and in what unit."""
    for ax in panels(figure):
        place = ax.get_subplotspec()
        if place.is_first_col():
            assert _has_unit(ax.get_ylabel()), f"y of {ax.get_title()!r}: {ax.get_ylabel()!r}"
        if place.is_last_row():
            assert _has_unit(ax.get_xlabel()), f"x of {ax.get_title()!r}: {ax.get_xlabel()!r}"


def _has_unit(label):
    return "[" in label or any(word in label for word in COUNTED)


def assert_nothing_is_empty(figure):
    """Every panel shows data, or says in words why not."""
    for ax in panels(figure):
        lines = [np.asarray(line.get_ydata(), dtype=float) for line in ax.lines]
        data = [y for y in lines if len(y) and np.isfinite(y).any() and not _is_a_rule(y)]
        assert data or ax.collections or ax.texts, ax.get_title()


def _is_a_rule(y):
    """A line across the panel, as `axhline` and `axvline` draw it."""
    return len(y) == 2 and (y[0] == y[1] or tuple(y) == (0, 1))


def assert_nothing_is_cut_off(figure):
    """Title, caption and labels lie inside the figure, and title and caption on no panel."""
    figure.canvas.draw()
    renderer, whole = figure.canvas.get_renderer(), figure.bbox
    inside = whole.expanded(1.002, 1.002)  # of rounding
    texts = [figure._suptitle, *figure.texts]
    if figure._supxlabel is not None:
        texts.append(figure._supxlabel)
    for text in texts:
        box = text.get_window_extent(renderer)
        assert inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1), text.get_text()
        for ax in panels(figure):
            assert not box.overlaps(ax.get_tightbbox(renderer).shrunk(0.98, 0.98)), text.get_text()
    for ax in panels(figure):
        box = ax.get_tightbbox(renderer)
        assert inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1), ax.get_title()


def assert_apart(figure):
    """The labels of an axis's ticks do not lie on each other."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    for ax in figure.axes:
        low, high = sorted(ax.get_xlim())
        own = [
            label.get_window_extent(renderer)
            for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
            if label.get_text() and low <= tick <= high
        ]
        own.sort(key=lambda box: box.x0)
        for one, other in itertools.pairwise(own):
            assert one.x1 <= other.x0 + 0.5, ax.get_title()
