"""One self-contained page on which the surfaces of a landscape study can be turned and read off."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import xarray as xr

from pgcore.studies.landscape.style import axis_names, noise_text, pairs_text
from pgcore.studies.style import PLOTLY, shown, spec_of


def landscape_page(data: xr.Dataset) -> str:
    """HTML with a menu of maps; each shows the surrogate and the true reward side by side.

    Args:
        data: of :func:`pgcore.studies.landscape.open_landscape`.
    """
    figure = landscape_surfaces(data)
    page: str = figure.to_html(full_html=True, include_plotlyjs=True, config=PLOTLY)
    return page


def landscape_surfaces(data: xr.Dataset) -> Any:
    """The figure of :func:`landscape_page`, of Plotly; a map that is not whole is passed over."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(
        cols=2,
        specs=[[{"type": "surface"}, {"type": "surface"}]],
        subplot_titles=("surrogate", "true reward"),
    )
    names = []
    points = data[["surrogate", "reward", "reward_error", "trajectories"]]
    stacked = points.stack(row=("agent", "iteration", "trial", "source", "pairs"))
    for index in range(stacked.sizes["row"]):
        own = stacked.isel(row=index)
        if not bool(own["reward"].notnull().all()):
            continue
        agent, iteration, trial, source, pairs = own["row"].item()
        who = html.escape(shown(agent))  # Plotly reads tags and entities in its texts
        names.append(
            f"{who} iteration {iteration}, trial {trial}, step from {source}, "
            f"{pairs_text(data, pairs)} per point"
        )
        for column, variable in enumerate(("surrogate", "reward"), 1):
            figure.add_trace(_surface(go, own, variable, len(names) == 1), row=1, col=column)
    figure.update_layout(**_layout(data, names))
    return figure


def _layout(data: xr.Dataset, names: list[str]) -> dict[str, Any]:
    """Menu, axes and title of the page; the menu shows two surfaces of each name."""
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [{"visible": [i // 2 == j for i in range(2 * len(names))]}],
        }
        for j, name in enumerate(names)
    ]
    menu = {"buttons": buttons, "direction": "up", "x": 0.0, "xanchor": "left"}
    names_of_axes = axis_names(data)
    axes = {
        "xaxis_title": names_of_axes[0],
        "yaxis_title": names_of_axes[1],
        "camera": {"eye": {"x": -1.4, "y": -1.6, "z": 1.1}},
    }
    return {
        "updatemenus": [menu | {"y": -0.02, "yanchor": "top"}],
        "scene": axes | {"zaxis_title": "surrogate"},
        "scene2": axes | {"zaxis_title": "mean return"},
        "title": f"{spec_of(data).get('task', '')}: surrogate and true reward around the policy; "
        f"{noise_text(data)}",
        "margin": {"l": 10, "r": 10, "t": 90, "b": 70},
        "height": 720,
    }


def point_texts(own: xr.Dataset, variable: str) -> list[list[str]]:
    """What is said of every point of a map, [random_scale][step_scale]."""
    rows = []
    for b in range(own.sizes["random_scale"]):
        points = (own.isel(random_scale=b, step_scale=a) for a in range(own.sizes["step_scale"]))
        rows.append([_point_text(point, variable) for point in points])
    return rows


def _point_text(point: xr.Dataset, variable: str) -> str:
    text = f"step {float(point['step_scale']):g}<br>random {float(point['random_scale']):g}<br>"
    text += f"{variable} {float(point[variable]):.4g}"
    if variable == "reward":
        error, count = float(point["reward_error"]), float(point["trajectories"])
        text += f" ± {error:.3g} (standard error)<br>{count:.0f} trajectories"
    return text


def _surface(go: Any, own: xr.Dataset, variable: str, visible: bool) -> Any:
    z = own[variable].transpose("random_scale", "step_scale")
    return go.Surface(
        x=z["step_scale"].values,
        y=z["random_scale"].values,
        z=z.values,
        hovertext=np.array(point_texts(own, variable)),  # nested lists would become strings
        hoverinfo="text",
        visible=visible,
        showscale=False,
        colorscale="Viridis",
    )
