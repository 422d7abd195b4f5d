"""Affine maps of a network's inputs or outputs, folded into its layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from pgcore.base.arrays import F64
from pgcore.importers.parts import Network


def scaled_outputs(network: Network, scale: F64 | float, shift: F64 | float) -> Network:
    """The network whose outputs are ``scale * y + shift``, for each output or for all."""
    *weights, weight = network.weights
    *biases, bias = network.biases
    s, m = np.broadcast_to(scale, bias.shape), np.broadcast_to(shift, bias.shape)
    wide_weight = weight.double().numpy() * s[:, None]
    wide_bias = bias.double().numpy() * s + m
    return dataclasses.replace(
        network,
        weights=(*weights, torch.from_numpy(wide_weight).float()),
        biases=(*biases, torch.from_numpy(wide_bias).float()),
    )


def mapped_inputs(network: Network, scale: F64, shift: F64) -> Network:
    """The network that takes x and computes what this one does of ``scale * x + shift``."""
    weight, *weights = network.weights
    bias, *biases = network.biases
    wide = weight.double().numpy()
    return dataclasses.replace(
        network,
        weights=(torch.from_numpy(wide * scale).float(), *weights),
        biases=(torch.from_numpy(bias.double().numpy() + wide @ shift).float(), *biases),
    )


def flat_row(network: Network, log_std: Tensor | None = None) -> Tensor:
    """The row [1, P] of a stack of one member: weights [in, out], biases, then log_std."""
    rows: list[Tensor] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        rows += [weight.T.reshape(-1), bias.reshape(-1)]
    if log_std is not None:
        rows.append(log_std.reshape(-1))
    return torch.cat(rows).unsqueeze(0)
