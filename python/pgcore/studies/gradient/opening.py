"""The dataset of a gradient study, with what follows from its inner products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.reading import open_study
from pgcore.studies.measures.over_trials import (
    cosine_over_trials,
    geometric_over_trials,
    noise_scale_over_trials,
)
from pgcore.studies.measures.statistics import (
    cosines_to,
    mean_interval,
    mean_over_trials,
    noise_scale_interval,
    pairwise_cosine_interval,
    predicted_pairwise,
    predicted_to_true,
    true_noise_scale,
    true_signal,
)

_OF_TRUE = {
    "true_square": ("1", "squared norm of the true gradient"),
    "half_dot": ("1", "inner product of the halves of the true gradient: unbiased of |g|²"),
    "half_squares": ("1", "product of the squared norms of the two halves"),
    "step_square": ("1", "squared norm of the true step"),
    "step_half_dot": ("1", "inner product of the halves of the true step"),
    "step_half_squares": ("1", "product of the squared norms of the two halves of the true step"),
    "true_norm": ("1", "norm of the true gradient, its noise removed; 0 where it is not seen"),
    "split_half_cosine": ("1", "cosine between the two halves of the true gradient"),
    "step_split_half_cosine": ("1", "cosine between the two halves of the true step"),
    "step_norm": ("1", "length of a computed step, mean over estimates"),
    "true_noise_scale": ("pairs", "noise scale B = tr Σ / |g|², from the true gradient's streams"),
    "predicted_pairwise_cosine": ("1", "1 / (1 + B/n), with B of the true gradient"),
    "predicted_cosine_to_true": (
        "1",
        "(1 + B/n)^(-1/2) (1 + B/N)^(-1/2), with B of the true gradient and N its pairs",
    ),
    "mean_trajectories": ("trajectories", "trajectories of an estimate, mean over estimates"),
}
# over trials, beside the cosines of estimates: measure, its name, variables
_OVER_TRIALS = (
    (cosine_over_trials, "mean of Fisher's z over trials, turned back", ("split_half_cosine",
     "step_split_half_cosine")),
    (geometric_over_trials, "geometric mean over trials", ("true_norm", "mean_trajectories",
     "step_norm")),
    (noise_scale_over_trials, "geometric mean over trials", ("true_noise_scale", "noise_scale")),
)  # fmt: skip
# names of a kind of estimate: Gram matrix, product with the true one, its square; prefix, words
_KINDS = (
    ("gram", "dot_true", "true_square", "", "gradient estimates", "true gradient"),
    ("step_gram", "step_dot_true", "step_square", "step_", "computed steps", "true step"),
)


def open_gradient(out: str | Path) -> xr.Dataset:
    """The study's dataset, small: of the true vectors only inner products.

    Dims agent, iteration, trial, n, estimate, other; see the variables' descriptions.
    """
    data = open_study(Path(out) / "dataset.zarr")
    true = open_study(Path(out) / "true.zarr")
    first, second = true["gradient"].sel(half=0), true["gradient"].sel(half=1)

    def square(product: xr.DataArray) -> xr.DataArray:
        """Sum over the parameters that a network has; NaN where the cell is missing."""
        return product.sum("parameter", min_count=1)

    data["true_square"] = square(((first + second) / 2) ** 2)
    data["half_dot"] = square(first * second)
    data["half_squares"] = square(first**2) * square(second**2)
    if "half" in true["step"].dims:
        one, other = true["step"].sel(half=0), true["step"].sel(half=1)
        data["step_square"] = square(((one + other) / 2) ** 2)
        data["step_half_dot"] = square(one * other)
        data["step_half_squares"] = square(one**2) * square(other**2)
    else:  # of an older pgcore: one step from all the pairs
        data["step_square"] = square(true["step"] ** 2)
    for name in ("stream_square", "streams", "stream_pairs", "true_trajectories"):
        data[name] = true[name]
    return gradient_quantities(data)


def gradient_quantities(data: xr.Dataset) -> xr.Dataset:
    """A gradient study's dataset with its cosines, noise scales and predictions."""
    for kind in ("", "step_"):
        if f"{kind}half_dot" in data:  # steps of an older pgcore have no halves
            products = data[f"{kind}half_dot"], data[f"{kind}half_squares"]
            data[f"{kind}split_half_cosine"] = products[0] / np.sqrt(products[1])
    names = ("stream_square", "true_square", "streams", "stream_pairs")
    signal = xr.apply_ufunc(true_signal, *(data[name] for name in names[:3]))
    data["true_norm"] = np.sqrt(np.maximum(signal, 0.0))
    B = xr.apply_ufunc(true_noise_scale, *(data[name] for name in names))
    data["true_noise_scale"] = B
    known = data["streams"] * data["stream_pairs"]
    laws = {
        "predicted_pairwise_cosine": xr.apply_ufunc(predicted_pairwise, data["n"], B),
        "predicted_cosine_to_true": xr.apply_ufunc(predicted_to_true, data["n"], B)
        * xr.apply_ufunc(predicted_to_true, known, B),
    }
    for name, law in laws.items():
        data[name] = law.transpose(..., "n")
    data["mean_trajectories"] = data["trajectories"].mean("estimate", skipna=False)
    norms = xr.apply_ufunc(
        lambda gram: np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1)),
        data["step_gram"],
        input_core_dims=[["estimate", "other"]],
        output_core_dims=[["estimate"]],
    )
    data["step_norm"] = norms.mean("estimate", skipna=False)
    describe(data, _OF_TRUE)
    for gram, dot, square, prefix, items, true in _KINDS:
        _add_cosines(data, (gram, dot, square), prefix, items, true)
    variables = with_bounds(
        "noise_scale", "pairs", "noise scale B = tr Σ / |g|², from the estimates", "estimates"
    )
    derive(data, noise_scale_interval, [data["gram"], data["n"]], ["estimate", "other"], variables)
    _add_means(data)
    return annotate(data)


def _add_means(data: xr.Dataset) -> None:
    """Over trials, but for those of the estimates' cosines."""
    for measure, kind, names in _OVER_TRIALS:
        for name in (n for n in names if n in data):
            known = data[name].attrs
            text = f"{known['description']}, {kind}"
            variables = with_bounds(f"{name}_over_trials", str(known["units"]), text, "trials")
            if measure is noise_scale_over_trials:
                unseen = "trials whose B is infinite, since |g| is not seen in its noise"
                variables = {**variables, f"{name}_unseen_trials": ("trials", unseen)}
            derive(data, measure, [data[name]], ["trial"], variables)


def _add_cosines(
    data: xr.Dataset, names: tuple[str, str, str], prefix: str, items: str, true: str
) -> None:
    """Cosines between estimates and to the true one, with intervals; and those over trials."""
    text = f"cosine of each of the {items} to the {true}"
    data[f"{prefix}cosines_to_true"] = xr.apply_ufunc(
        cosines_to,
        *(data[name] for name in names),
        input_core_dims=[["estimate", "other"], ["estimate"], []],
        output_core_dims=[["estimate"]],
    )
    describe(data, {f"{prefix}cosines_to_true": ("1", text)})
    pairwise, to_true = f"{prefix}pairwise_cosine", f"{prefix}cosine_to_true"
    meaning = {
        pairwise: f"mean pairwise cosine of {items}",
        to_true: f"mean cosine of {items} to the {true}",
    }
    variables = with_bounds(pairwise, "1", meaning[pairwise], "estimates")
    derive(data, pairwise_cosine_interval, [data[names[0]]], ["estimate", "other"], variables)
    variables = with_bounds(to_true, "1", meaning[to_true], "estimates")
    derive(data, mean_interval, [data[f"{prefix}cosines_to_true"]], ["estimate"], variables)
    for name, text in meaning.items():
        whole = f"{name}_over_trials"
        variables = with_bounds(whole, "1", f"{text}, mean over trials", "trials")
        derive(data, mean_over_trials, [data[name]], ["trial"], variables)
