"""What a table and a figure say of simulations that blew up."""

from __future__ import annotations

import xarray as xr

NOTED_SHARE = 0.01  # of the trajectories; fewer are not worth a sentence


def simulation_remarks(data: xr.Dataset) -> list[str]:
    """What a table says of MuJoCo's warnings and of :func:`divergence_note`."""
    lines = []
    if unstable := float(data["warnings"].sum()) if "warnings" in data else 0.0:
        lines.append(f"MuJoCo warned {unstable:.0f} times of an unstable simulation")
    return [*lines, blown] if (blown := divergence_note(data)) else lines


def divergence_note(data: xr.Dataset, name: str = "diverged") -> str:
    """A sentence if more than :data:`NOTED_SHARE` of a dataset's trajectories blew up, else "".

    Args:
        data: with the variable ``trajectories``.
        name: of the variable that counts those that blew up (of an older pgcore: not there).
    """
    if name not in data:
        return ""
    diverged, trajectories = (float(data[n].sum()) for n in (name, "trajectories"))
    if not diverged > NOTED_SHARE * trajectories:
        return ""
    share = 100 * diverged / trajectories
    return f"{share:.2g} % of the trajectories ended because the simulation blew up"
