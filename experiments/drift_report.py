"""Tables and a figure of what `drift.py` measured: functions of its result alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.files import write_atomically
from pgcore.studies.measures.differences import few_trials
from pgcore.studies.measures.statistics import mean_interval
from pgcore.studies.style import STYLE, new_figure, shown, wrapped

MARKS = ("<!-- numbers: begin -->\n", "<!-- numbers: end -->\n")


def others_of(result: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A result to add to; ValueError: it was measured otherwise than by these settings."""
    found: dict[str, Any] = json.loads(result.read_text())
    for name, here in settings.items():
        if found[name] != here:
            raise ValueError(
                f"add: expected the {name} of {result}, {found[name]}, got {here}; "
                "choose another --out"
            )
    return found


def with_others(data: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """A result with the agents of another one that it does not have itself, first."""

    def name(agent: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(agent[key] for key in ("label", "task", "iteration"))

    here = {name(agent) for agent in data["agents"]}
    agents = [agent for agent in others.get("agents", []) if name(agent) not in here]
    out = list(dict.fromkeys([*others.get("left_out", []), *data["left_out"]]))
    return data | {"agents": agents + data["agents"], "left_out": out}


def reference_of(agent: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The condition that shifts are from: the reference's MuJoCo, the rules of training."""
    own = agent["task"][-2:]
    entries: list[dict[str, Any]] = agent["conditions"]
    for entry in entries:
        if (entry["environment"], entry["rules"]) == (data["reference"], own):
            return entry
    raise ValueError(f"{agent['task']} {agent['label']}: nothing was measured at the reference")


def shift_of(one: F64, other: F64) -> tuple[float, float, float]:
    """Mean of returns [trials, trajectories] less that of others, and its 95 % interval.

    The unit is the trial: Student's t over the trials' mean differences. Of one trial it is the
    trajectory, and says something about that agent alone.
    """
    pairs = one - other
    return mean_interval(pairs.mean(axis=1) if len(pairs) > 1 else pairs[0])


def trials_that_shift(one: F64, other: F64) -> int:
    """Trials whose own 95 % interval, over its trajectories, does not contain 0."""
    ends = [mean_interval(row)[1:] for row in one - other]
    return sum(low > 0 or high < 0 for low, high in ends)


def correlation(one: F64, other: F64) -> float:
    """Of the returns from equal starts and noise, within trials; the mean over trials."""
    rows = [(a - a.mean(), b - b.mean()) for a, b in zip(one, other, strict=True)]
    scales = [float(np.sqrt((a @ a) * (b @ b))) for a, b in rows]
    found = [float(a @ b) / s for (a, b), s in zip(rows, scales, strict=True) if s > 0]
    return float(np.mean(found)) if found else np.nan


def name_of(entry: dict[str, Any], data: dict[str, Any]) -> str:
    """A condition in a few words."""
    versions = data["environments"][entry["environment"]]
    usual = data["environments"][data["reference"]]["gymnasium"]
    old = "" if versions["gymnasium"] == usual else f", Gymnasium {versions['gymnasium']}"
    seeds = ", other seeds" if entry["other_seeds"] else ""
    return f"{versions['mujoco']} {entry['rules']}{old}{seeds}"


def heading(agent: dict[str, Any], data: dict[str, Any]) -> str:
    """Task, agent and sample sizes."""
    return (
        f"{agent['task']}, {shown(agent['label'])} at iteration {agent['iteration']}, "
        f"{len(agent['trials'])} trials x {data['trajectories']} trajectories"
    )


def table(agent: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """One agent's rows, as Markdown."""
    reference = reference_of(agent, data)
    base = np.array(reference["returns"])
    lines = [
        f"**{heading(agent, data)}**",
        "",
        "| MuJoCo, rules | contacts | return | length | shift [95 %] | of the return "
        "| trials that shift | correlation | equal returns |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in agent["conditions"]:
        returns = np.array(entry["returns"])
        start = f"| {name_of(entry, data)} | {entry['contacts']} "
        start += f"| {returns.mean():.0f} | {np.mean(entry['lengths']):.0f} "
        if entry is reference:
            lines.append(start + "| reference | | | | |")
            continue
        middle, low, high = shift_of(returns, base)
        lines.append(
            f"{start}| {middle:+.1f} [{low:+.1f}, {high:+.1f}] "
            f"| {100 * middle / abs(base.mean()):+.1f} % "
            f"| {trials_that_shift(returns, base)} of {len(returns)} "
            f"| {correlation(returns, base):.2f} | {100 * (returns == base).mean():.0f} % |"
        )
    return [*lines, "", *[f"{text}." for text in few_trials(len(base))]]


def same_engine(data: dict[str, Any]) -> list[str]:
    """How many returns agree between environments of one MuJoCo and two Gymnasiums, per rules."""
    lines = []
    for one, other in itertools.combinations(data["environments"], 2):
        versions = [data["environments"][name] for name in (one, other)]
        if versions[0]["mujoco"] != versions[1]["mujoco"]:
            continue
        equal = []
        for agent in data["agents"]:
            found = [
                {
                    e["rules"]: e["returns"]
                    for e in agent["conditions"]
                    if e["environment"] == name and not e["other_seeds"]
                }
                for name in (one, other)
            ]
            for rules in found[0].keys() & found[1].keys():
                equal.append(np.equal(*(np.array(x[rules]) for x in found)).ravel())
        every = np.concatenate(equal)
        lines.append(
            f"- Gymnasium {versions[0]['gymnasium']} and {versions[1]['gymnasium']} with MuJoCo "
            f"{versions[0]['mujoco']}: {every.sum()} of {len(every)} returns are equal"
        )
    return lines


def tables(data: dict[str, Any]) -> str:
    """All tables, what was installed and what is left out, as Markdown."""
    lines = []
    for agent in data["agents"]:
        lines += table(agent, data)
    for name, found in data["environments"].items():
        lines.append(f"- `{name}`: {', '.join(f'{k} {v}' for k, v in found.items())}")
    lines += same_engine(data)
    lines += [f"- left out: {text}" for text in data["left_out"]]
    return "\n".join(lines) + "\n"


def drift_figure(data: dict[str, Any]) -> Any:
    """A panel per agent: the shift of every condition with its interval, and each trial's."""
    agents = data["agents"]
    columns = min(2, len(agents))
    rows = -(-len(agents) // columns)
    most = max(len(agent["conditions"]) for agent in agents)
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(columns, rows, 3.7, 1.1 + 0.17 * most)
        for ax in axes.flat[len(agents) :]:
            ax.set_axis_off()
        for ax, agent in zip(axes.flat, agents, strict=False):
            reference = reference_of(agent, data)
            base = np.array(reference["returns"])
            others = [entry for entry in agent["conditions"] if entry is not reference]
            for y, entry in enumerate(others):
                returns = np.array(entry["returns"])
                middle, low, high = shift_of(returns, base)
                each = (returns - base).mean(axis=1)
                ax.plot(each, np.full(len(each), y), "|", color="#d98200", markersize=5)
                ends = [[middle - low], [high - middle]]
                ax.errorbar([middle], [y], xerr=ends, fmt="o", color="#1f4e9c", markersize=3)
            ax.axvline(0, color="black", linewidth=0.8)
            ax.set_yticks(range(len(others)), [name_of(entry, data) for entry in others])
            ax.invert_yaxis()
            ax.set_xlabel(f"return less that of {name_of(reference, data)} ({base.mean():.0f})")
            ax.set_title(heading(agent, data).replace(", ", "\n"), fontsize=8)
        caption = (
            "rows: MuJoCo and task version; dots and bars: mean and 95 % interval over trials; "
        )
        figure.supxlabel(wrapped(caption + "ticks: trials", figure, 8), fontsize=8)
        return figure


def write_docs(page: Path, data: dict[str, Any]) -> None:
    """Put the tables between the marks of a page."""
    before, _, rest = page.read_text().partition(MARKS[0])
    _, mark, after = rest.partition(MARKS[1])
    if not mark:
        raise ValueError(f"{page}: expected the lines {MARKS[0]!r} and {MARKS[1]!r}")
    write_atomically(page, (before + MARKS[0] + tables(data) + MARKS[1] + after).encode())
