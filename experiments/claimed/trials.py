"""What a claim takes from each trial."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64


def per_trial(values: xr.DataArray) -> F64:
    """Mean over what is left besides trials [T], of the trials that are known as far as any is.

    One that diverged on the way has no late values: its mean would be that of an earlier agent.
    """
    others = [d for d in values.dims if d != "trial"]
    known = values.notnull()
    whole = (known | ~known.any("trial")).all(others) & known.any(others)
    own = np.asarray(values.mean(others).values, dtype=float)
    return own[np.asarray(whole.values)]
