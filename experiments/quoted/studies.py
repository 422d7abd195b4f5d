"""Quotations of the gradient and value studies (claims C1 to C8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pack import study

from quoted.writing import (
    checkpoints,
    estimate,
    median_range,
    number,
    power,
    significant,
    significant_span,
    span,
    table,
    verdict,
)

AGENTS = ("ppo", "trpo")
N = 2000  # pairs of an estimate: about an iteration's
NAMES = {"hopper": "Hopper", "walker": "Walker2d"}


def gradient(results: Path) -> dict[str, str]:
    """C1 to C5."""
    data, humanoid = (study(f"{n}-gradient", results) for n in ("hopper", "humanoid"))
    own = data.sel(n=N)
    later = own.sel(iteration=own["iteration"] > 0)
    medians = own[["pairwise_cosine", "cosine_to_true", "true_noise_scale"]].median("trial")
    steps = own["step_pairwise_cosine"].median("trial")
    late_steps = steps.sel(iteration=steps["iteration"] > 0)
    contains = (later["pairwise_cosine_low"] <= 0) & (later["pairwise_cosine_high"] >= 0)
    agree = checkpoints(int(contains.sum()), own, later.sizes["iteration"])
    B = medians["true_noise_scale"]
    growth = {a: float(B.sel(agent=a, iteration=300) / B.sel(agent=a, iteration=0)) for a in AGENTS}
    late = {a: bool(B.sel(agent=a, iteration=450) > B.sel(agent=a, iteration=300)) for a in AGENTS}
    most = data.sel(n=100_000, iteration=450)["cosine_to_true"]
    few = own["cosine_to_true"].sel(iteration=450)
    late_cosines = span(medians["pairwise_cosine"].sel(iteration=later["iteration"]))
    at_start = medians["pairwise_cosine"].sel(iteration=0)
    there = humanoid.sel(n=N)
    start_there = there["pairwise_cosine"].sel(iteration=0).median("trial")
    split = there["split_half_cosine"]
    unknown = split.sel(agent="trpo", iteration=0)
    others = split.where(~((split["agent"] == "trpo") & (split["iteration"] == 0)))
    return {
        "agree": agree,
        "split": number(own["split_half_cosine"].median("trial").min()),
        "table": _gradient_table(own),
        "growth.ppo": f"{significant(growth['ppo'])}-fold",
        "growth.trpo": f"{significant(growth['trpo'])}-fold",
        "late": " and ".join(
            f"{a.upper()}'s {'grows further' if late[a] else 'does not'}" for a in AGENTS
        ),
        "most.ppo": span(most.sel(agent="ppo")),
        "most.trpo": span(most.sel(agent="trpo")),
        "steps.ppo": number(steps.sel(agent="ppo", iteration=0)),
        "steps.trpo": number(steps.sel(agent="trpo", iteration=0)),
        "steps.late": number(late_steps.max(), 3),
        "humanoid.cosine": span(there["pairwise_cosine"]),
        "humanoid.noise": power(float(there["true_noise_scale"].min())),
        "humanoid.split": span(others),
        "humanoid.unknown": " and ".join(number(x) for x in np.sort(unknown.values)),
        "hopper.start": " and ".join(number(at_start.sel(agent=a)) for a in AGENTS),
        **_warmed(results),
        "c1": f"{verdict(contains.mean() > 0.5)} after the start: the "
        f"interval of the cosine contains 0 at {agree}; medians {late_cosines}, Hopper",
        "c2": f"{verdict(min(growth.values()) > 1)} up to iteration 300: B grows "
        f"{significant_span(list(growth.values()))}-fold from that of raw observations, and "
        f"{_warmed_growth(results)}-fold from that of normalised ones (newer agents)",
        "c3": "{} at iteration 0, of raw observations: {} on Humanoid (2 trials each), {} on "
        "Hopper (3); at 300 {} and {}".format(
            verdict(start_there.max() < at_start.min()),
            " and ".join(number(start_there.sel(agent=a)) for a in AGENTS),
            " and ".join(number(at_start.sel(agent=a)) for a in AGENTS),
            span(there["pairwise_cosine"].sel(iteration=300).median("trial")),
            span(medians["pairwise_cosine"].sel(iteration=300)),
        ),
        "c4": f"{verdict(few.max() < most.min())}: 50 times as many give cosines of {span(most)}",
        "c5": f"{verdict(late_steps.max() < 0.1)}: at most {number(late_steps.max(), 3)} pairwise "
        "after the start (medians)",
    }


def _warmed(results: Path) -> dict[str, str]:
    """What newer agents have at iteration 0, judged with statistics of their first iteration."""
    start = study("hopper-trials-gradient", results).sel(n=N, iteration=0)
    cosines, noise = (start[f"{n}_over_trials"] for n in ("pairwise_cosine", "true_noise_scale"))
    return {
        "warmed": " and ".join(number(cosines.sel(agent=a)) for a in AGENTS),
        "warmed.noise": " and ".join(significant(float(noise.sel(agent=a))) for a in AGENTS),
        "warmed.trials": str(start.sizes["trial"]),
    }


def _warmed_growth(results: Path) -> str:
    """How B grows up to 300 where iteration 0 has statistics, too; medians over trials."""
    noise = study("hopper-trials-gradient", results).sel(n=N)["true_noise_scale"].median("trial")
    return significant_span(list((noise.sel(iteration=300) / noise.sel(iteration=0)).values))


def _gradient_table(own: xr.Dataset) -> str:
    """Medians over trials."""
    head = ["", "iteration", f"pairwise cosine at {N} pairs", "to the true gradient"]
    head += ["noise scale B, pairs", "trajectories"]
    rows = []
    for agent in AGENTS:
        for iteration in own["iteration"].values:
            part = own.sel(agent=agent, iteration=iteration).median("trial")
            count = float(part["mean_trajectories"])
            rows.append(
                [
                    agent.upper() if iteration == 0 else "",
                    str(iteration),
                    number(part["pairwise_cosine"]),
                    number(part["cosine_to_true"]),
                    significant(float(part["true_noise_scale"])),
                    number(count, 0 if count >= 10 else 1),
                ]
            )
    return table(head, rows)


def value(results: Path) -> dict[str, str]:
    """C6 to C8."""
    data = {name: study(f"{name}-value", results) for name in NAMES}
    cut = study("hopper-value-cut", results)
    found: dict[str, str] = {}
    errors = {name: late_errors(own) for name, own in data.items()}
    for name, error in errors.items():
        for which in ("train", "held-out"):
            found[f"{name}.gae.{which.partition('-')[0]}"] = span(
                error.sel(set=which, target="gae")
            )
    known = {n: e.sel(set="held-out", target="returns") for n, e in errors.items()}
    gae = {n: e.sel(set="held-out", target="gae") for n, e in errors.items()}
    shortened = late_errors(cut).sel(target="returns")
    held_out, train = (span(shortened.sel(set=s)) for s in ("held-out", "train"))
    found |= {
        "known.hopper": span(known["hopper"]),
        **{f"known.walker.{a}": span(known["walker"].sel(agent=a)) for a in AGENTS},
        "walker.ratio": number((known["walker"] / gae["walker"]).max(), 1),
        "cut.held": held_out,
        "cut.train": train,
        "c6": f"{verdict(max(float(e.max()) for e in gae.values()) < 0.2)}: held-out mean relative "
        f"error {span(list(gae.values()))}",
        "c7": f"only of returns that are cut: {held_out} held-out and {train} on the training "
        f"pairs, so that it is no failure to generalize; of others {span(known['hopper'])} "
        f"(Hopper), {span(known['walker'])} (Walker2d)",
    }
    return found | _misfits(data["hopper"]) | _variances(data, results)


def late_errors(data: xr.Dataset) -> xr.DataArray:
    """Mean relative errors after the start, interquartile means over trials."""
    return data["error_iqm"].sel(measure="mre", iteration=data["iteration"] > 0)


def _misfits(data: xr.Dataset) -> dict[str, str]:
    """Errors against Monte Carlo values, in mean and rest, as percents of the variance of value."""
    data = data.sel(iteration=data["value"].notnull().any(["agent", "trial", "state"]))
    parts = {
        "all": data["value_net_misfit"],
        "mean": data["value_net_squared_mean_error"],
        "rest": data["value_net_misfit_rest"],
    }
    found = {
        f"misfit.{agent}.{part}": f"{_percents(100 * values.sel(agent=agent))} %"
        for agent in AGENTS
        for part, values in parts.items()
    }
    over_half = int((parts["mean"] > parts["rest"]).sum())
    fitted, below = data["fitted_misfit"], "below 20 %"
    counts = {n: int((data[f"{n}_misfit_high"] < 0.2).sum()) for n in ("fitted", "value_net")}
    iterations = data.sizes["iteration"]
    return found | {
        "misfit.mostly": checkpoints(over_half, data, iterations),
        "misfit.fitted": f"{_percents(100 * fitted)} %",
        "misfit.ends": f"the fitted one's ends {below} at "
        f"{checkpoints(counts['fitted'], data, iterations)}, the value network's at "
        f"{counts['value_net']}",
        "misfit.states": str(data.sizes["state"]),
    }


def _percents(values: xr.DataArray) -> str:
    """A range of percents, small ones with a digit more."""
    low, high = float(values.min()), float(values.max())
    return " to ".join(number(x, 1 if abs(x) < 1 else 0) for x in (low, high))


def _variances(data: dict[str, xr.Dataset], results: Path) -> dict[str, str]:
    """Baselines on the same pairs, at the most pairs and at an iteration's."""
    found, less, more, every, agents, zeros = {}, 0, 0, 0, 0, []
    for name, whole in data.items():
        own = whole.sel(
            iteration=whole["gram"].notnull().any(set(whole["gram"].dims) - {"iteration"})
        )
        most = own.sel(n=own["n"].max())
        true, zero = (most.sel(baseline=b) for b in ("true value", "zero"))
        below, above = (true["variance_ratio_high"] < 1), (true["variance_ratio_low"] > 1)
        iterations = own.sizes["iteration"]
        less, more = less + int(below.sum()), more + int(above.sum())
        agents += own.sizes["agent"] * own.sizes["trial"]
        every += below.size
        zeros.append(zero["variance_ratio"].values)
        found |= {
            f"{name}.true": span(true["variance_ratio"]),
            f"{name}.less": f"{checkpoints(int(below.sum()), own, iterations)} and more at "
            f"{int(above.sum()) or 'none'}",
            f"{name}.zero": significant_span(zero["variance_ratio"].values),
            f"{name}.fit": span(100 * own["fit_error"].sel(measure="explained_variance"), 0),
        }
        for baseline in ("true value", "value net", "zero"):
            key = f"{name}.{baseline.partition(' ')[0]}"
            cosines = own["pairwise_cosine"].sel(baseline=baseline)
            found[f"{key}.most"] = median_range(cosines.sel(n=own["n"].max()))
            found[f"{key}.few"] = number(cosines.sel(n=N).median())
    ratios = significant_span(np.concatenate([z.ravel() for z in zeros]))
    found["c8"] = (
        f"true value less at {less} of {every} checkpoints of {agents} agents, more at "
        f"{more or 'none'}; none {ratios} times as much"
    )
    largest = study("hopper-value-5000000", results).sel(agent="trpo", trial=0)
    for source, part in (("more", largest), ("fewer", data["hopper"].sel(agent="trpo", trial=0))):
        at = part.sel(baseline="true value", n=100_000)
        texts = [estimate(at.sel(iteration=i), "variance_ratio") for i in (150, 450)]
        found[f"pairs.{source}"] = " and ".join(texts)
    return found
