"""What a step study says about the paper's claims C11 and C12: a line each, with its rule."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.words import counted
from pgcore.studies.measures.differences import TRIALS_TO_DECIDE
from pgcore.studies.measures.step_summary import OF_CENTRE, OF_STEPS, Steps, groups

OFTEN = 0.25
FEW_PAIRS, MANY_PAIRS = 2048, 500_000

_C11 = (
    f"C11 (late, at 2K pairs, steps that raise the surrogate often lower the reward); rule: it "
    f"holds if the share of them that clearly (95 %) lower it is above {OFTEN:.0%} with its whole\n"
    f"interval, fails if the share that may lower it is below with its whole interval; else open"
)
_C12 = (
    "C12 (late, at 10^6 pairs, TRPO's steps raise the reward, PPO's lower it); rule: it holds if "
    "the 95 % intervals\nof both mean changes say so, fails if one says the opposite; else open"
)


def claims(data: xr.Dataset) -> str:
    """The verdicts, from whole steps (fraction 1) at the last iteration."""
    return "\n".join([_C11, *_eleventh(data), _C12, *_twelfth(data)]) + "\n"


def _whole_steps(data: xr.Dataset, iteration: int, n: int) -> dict[str, Steps]:
    """Of every agent that has them."""
    found = {}
    for agent, i, pairs, fraction, own in groups(data[[*OF_STEPS, *OF_CENTRE]]):
        if (i, pairs, fraction) == (iteration, n, 1.0):
            found[agent] = Steps.of(own.sel(kind="step"))
    return found


def _unit(steps: Steps) -> str:
    trials = len(steps.trials)
    if trials >= TRIALS_TO_DECIDE:
        return f"{trials} trials"
    return f"{counted(trials, 'trial')}: description, not a decision"


def _eleventh(data: xr.Dataset) -> list[str]:
    iterations, ns = data["iteration"].values, data["n"].values
    n = int(ns[np.argmin(np.abs(np.log(ns / FEW_PAIRS)))])
    if iterations.max() == 0 or not 0.5 <= n / FEW_PAIRS <= 2:
        return [f"  not judged: needs a late iteration and n near {FEW_PAIRS}"]
    lines = []
    for agent, steps in _whole_steps(data, int(iterations.max()), n).items():
        sure, may, count = steps.lowering_shares()
        verdict = "open"
        if count and sure.low > OFTEN:
            verdict = "holds"
        elif count and may.high < OFTEN:
            verdict = "fails"
        lines.append(
            f"  {agent}, iteration {iterations.max()}, n {n}: {verdict}; of {count:.0f} steps that "
            f"raise the surrogate {sure.estimate:.2f} [{sure.low:.2f}, {sure.high:.2f}] clearly "
            f"lower the reward, {may.estimate:.2f} [{may.low:.2f}, {may.high:.2f}] may "
            f"({_unit(steps)})"
        )
    return lines


def _twelfth(data: xr.Dataset) -> list[str]:
    iteration, n = int(data["iteration"].values.max()), int(data["n"].values.max())
    found = _whole_steps(data, iteration, n)
    if iteration == 0 or n < MANY_PAIRS or not {"ppo", "trpo"} <= found.keys():
        return [f"  not judged: needs ppo and trpo, a late iteration and n >= {MANY_PAIRS}"]
    means = {}
    for name in ("ppo", "trpo"):
        steps = found[name]
        means[name] = steps.mean(0 if len(steps.trials) == 1 else None)
    verdict = "open"
    if means["trpo"].low > 0 and means["ppo"].high < 0:
        verdict = "holds"
    elif means["trpo"].high < 0 or means["ppo"].low > 0:
        verdict = "fails"
    text = ", ".join(f"{k} {m.estimate:+.1f} [{m.low:.1f}, {m.high:.1f}]" for k, m in means.items())
    return [f"  iteration {iteration}, n {n}: {verdict}; {text} ({_unit(found['ppo'])})"]
