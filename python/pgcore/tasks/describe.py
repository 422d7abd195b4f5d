"""A task in words: what `pgcore tasks ID` prints."""

from __future__ import annotations

from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask


def hidden_state(task: AnyTask) -> str:
    """What of the simulator's state the observation leaves out, in one line; empty: nothing known.

    A value function of the observation cannot tell states apart that differ in it alone.
    """
    if isinstance(task, GymnasiumTask) or task.unread_activations == 0:
        return ""
    return (
        f"the observation leaves out {task.unread_activations} of {task.native.na} activations of "
        "actuators, which are part of the state"
    )


def describe_task(task: AnyTask) -> str:
    """A task's tables and rules, as `pgcore tasks ID` prints them."""
    if isinstance(task, GymnasiumTask):
        return task.describe()
    native = task.native
    lines = [
        f"{task.id}: {task.spec.note}",
        f"model {task.spec.xml}; one step is {task.frame_skip} simulator steps, {task.dt:g} s",
        "",
        f"observation ({task.obs_dim})",
        f"{'index':>7}  {'unit':<16}meaning",
    ]
    for i, (meaning, unit) in enumerate(native.observation_table()):
        lines.append(f"{i:>7}  {unit:<16}{meaning}")
    hidden = hidden_state(task)
    lines += [f"note: {hidden}: term activation"] if hidden else []
    clamped = "clamped by the simulator to its range, or mapped to it: --actions"
    lines += ["", f"action ({task.act_dim}), {clamped}"]
    for i, (name, low, high) in enumerate(native.action_table()):
        lines.append(f"{i:>7}  [{low:g}, {high:g}]".ljust(25) + name)
    lines += ["", "reward, the sum of"]
    lines += [f"    {line}" for line in native.reward_formula()]
    lines += ["", "terminated if any of"]
    lines += [f"    {line}" for line in native.termination_rules()] or ["    never"]
    limit = f"after {task.time_limit} steps" if task.time_limit else "never"
    lines += ["", f"truncated {limit}", "", "reset: model defaults, then"]
    lines += [f"    {line}" for line in native.reset_rules()]
    return "\n".join(lines)
