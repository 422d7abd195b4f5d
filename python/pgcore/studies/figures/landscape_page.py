"""One self-contained page on which the surfaces of a landscape study can be turned and read off."""

from __future__ import annotations

from typing import Any

import xarray as xr

from pgcore.studies.figures.landscape import pairs_text
from pgcore.studies.figures.style import spec_of


def landscape_page(data: xr.Dataset) -> str:
    """HTML with a menu of maps; each shows the surrogate and the true reward side by side.

    Args:
        data: of :func:`pgcore.studies.landscape.open_landscape`.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(
        cols=2,
        specs=[[{"type": "surface"}, {"type": "surface"}]],
        subplot_titles=("surrogate", "true reward"),
    )
    names = []
    stacked = data.stack(row=("algorithm", "iteration", "trial", "source", "pairs"))
    for index in range(stacked.sizes["row"]):
        own = stacked.isel(row=index)
        if not bool(own["reward"].notnull().all()):
            continue
        algorithm, iteration, trial, source, pairs = own["row"].item()
        names.append(
            f"{algorithm.upper()} iteration {iteration}, trial {trial}, step from {source}, "
            f"{pairs_text(data, pairs)} per point"
        )
        for column, variable in enumerate(("surrogate", "reward"), 1):
            figure.add_trace(_surface(go, own, variable, len(names) == 1), row=1, col=column)
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [{"visible": [i // 2 == j for i in range(2 * len(names))]}],
        }
        for j, name in enumerate(names)
    ]
    axes = {"xaxis_title": "step", "yaxis_title": "random direction (norm 2)"}
    spec = spec_of(data)
    noise = {"common": "common random numbers", "independent": "independent streams"}
    kind = noise.get(str(spec.get("noise")), "")
    figure.update_layout(
        updatemenus=[{"buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.15}],
        scene=axes,
        scene2=axes,
        title=f"{spec.get('task', '')}: surrogate and true reward around the policy; {kind}",
        height=700,
    )
    page: str = figure.to_html(full_html=True, include_plotlyjs=True)
    return page


def _surface(go: Any, own: xr.Dataset, variable: str, visible: bool) -> Any:
    z = own[variable].transpose("random_scale", "step_scale")
    error = own["reward_error"].transpose("random_scale", "step_scale")
    hover = "step %{x}<br>random %{y}<br>" + variable + " %{z:.4g}"
    if variable == "reward":
        hover += " ± %{customdata:.3g}"
    return go.Surface(
        x=z["step_scale"].values,
        y=z["random_scale"].values,
        z=z.values,
        customdata=error.values,
        hovertemplate=hover + "<extra></extra>",
        visible=visible,
        showscale=False,
        colorscale="Viridis",
    )
