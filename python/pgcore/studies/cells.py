"""Running the cells of a study: what is missing, one after the other, with progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray
from tqdm import tqdm

from pgcore.studies.store import Store

Cell = Callable[[dict[str, Any]], Mapping[str, NDArray[Any] | float]]


def run_cells(
    store: Store, function: Cell, cost: Callable[[dict[str, Any]], int], title: str
) -> None:
    """Compute the missing cells of a study.

    Args:
        store: where results go; each cell is written when it is finished.
        function: a cell's coordinates to its variables; a pure function.
        cost: a cell's state-action pairs, for the progress bar's ETA.
        title: shown with the bar.
    """
    schema = store.schema
    cells = schema.cells()
    missing = [c for c in cells if not store.is_finished(c)]
    total = sum(cost(schema.coordinates(c)) for c in cells)
    left = sum(cost(schema.coordinates(c)) for c in missing)
    start = time.perf_counter()
    try:
        with tqdm(
            total=total, initial=total - left, desc=title, unit="pair", unit_scale=True
        ) as bar:
            for cell in missing:
                coordinates = schema.coordinates(cell)
                store.write(cell, function(coordinates))
                bar.update(cost(coordinates))
    finally:
        store.add_seconds(time.perf_counter() - start)
