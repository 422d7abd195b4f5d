"""What trials at the points of a grid say together, and against one of its points."""

from __future__ import annotations

import math

import numpy as np

from pgcore.base.arrays import F64
from pgcore.studies.measures.differences import agent_difference
from pgcore.studies.measures.steps import share_over_trials

PAPER = (2048, 1.0)  # pairs and factor of the rate that differences are taken from
Numbers = tuple[float, ...]


def median_over_trials(there: F64, values: F64) -> float:
    """Median of the values [T] of the trials that are there, not NaN; infinite ones count."""
    known = values[~np.isnan(there)]
    return float(np.median(known)) if len(known) else math.nan


def lowering_over_trials(shares: F64, steps: F64) -> Numbers:
    """Mean over trials of the share [T] of their steps [T] that lower the reward, and its interval.

    That of :func:`pgcore.studies.measures.steps.share_over_trials`; unknown (NaN) of one trial.
    """
    known = np.isfinite(shares)
    found = share_over_trials(np.round(shares[known] * steps[known]), steps[known])
    if known.sum() < 2:
        return found.estimate, math.nan, math.nan
    return found.estimate, found.low, found.high


def trial_difference(values: F64, reference: F64, trials: F64) -> Numbers:
    """Mean over trials of a value less the reference's of the same trial, and its interval.

    Args:
        values, reference: [T]; NaN where there is none.
        trials: [T], their numbers.

    Returns:
        Difference, lower and upper end (Student's t over trials), and the pairs of trials.
    """
    keys = np.stack([np.zeros_like(trials), trials], axis=1)
    both = np.isfinite(values) & np.isfinite(reference)
    if not both.any():
        return math.nan, math.nan, math.nan, 0.0
    found = agent_difference(values[both], keys[both], reference[both], keys[both])
    return found.estimate, found.low, found.high, float(found.trials)
