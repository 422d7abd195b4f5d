"""Cells on a Dask cluster: this machine's processes, or a scheduler that is already running."""

from __future__ import annotations

import importlib.util
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pgcore.base.errors import check_type
from pgcore.base.threads import default_threads
from pgcore.base.version import installation

ANSWER_SECONDS = 10  # until a scheduler is said not to answer


def cluster_outcomes(
    function: Callable[..., Any],
    stages: Iterable[Sequence[tuple[Any, dict[str, Any]]]],
    address: str,
) -> Iterator[tuple[Any, Any]]:
    """The values of every cell, or its error, in the order in which they are ready.

    Each slot of a worker computes one cell at a time, on one thread. A cell whose worker dies is
    computed by another one; a cell that raises is reported.

    Args:
        function: (coordinates, threads) to values; picklable.
        stages: cells and their coordinates; the next stage is asked for when one is finished.
        address: "local:N" or a scheduler's "tcp://host:port".

    Raises:
        ValueError: a bad address, or nobody answers there.
    """
    from distributed import as_completed

    with _client(address) as client:
        for work in stages:
            futures = {
                client.submit(function, coordinates, 1, key=f"cell-{uuid.uuid4()}", pure=False): c
                for c, coordinates in work
            }
            try:
                for future in as_completed(futures, loop=client.loop):
                    raised = future.exception()
                    yield futures[future], future.result() if raised is None else raised
            finally:
                client.cancel(list(futures))


def check_cluster(address: str, cells: Callable[[], bool]) -> None:
    """Whether cells can be computed there, before anything is written.

    Args:
        address: of the call.
        cells: whether there are any; what is finished needs no scheduler.

    Raises:
        ValueError: a bad address, Dask is not installed, or nobody answers.
    """
    count = local_workers(address)
    if importlib.util.find_spec("distributed") is None:
        raise ValueError(
            "cluster: needs Dask, pgcore's extra of that name; in pgcore's folder: "
            + installation("'.[cluster]'")
        )
    if count is None and cells():
        with _client(address):
            pass


def local_workers(address: str) -> int | None:
    """N of "local:N", or None for a scheduler's address; ValueError for anything else."""
    check_type("cluster", address, str, "local:N or a scheduler's address")
    local = re.fullmatch(r"local:(\d+)", address)
    if local is not None:
        if int(local.group(1)) < 1:
            raise ValueError(f"cluster: expected local:N with N >= 1, got {address!r}")
        return int(local.group(1))
    if not re.match(r"^(tcp|tls|ws|wss|ucx)://", address):
        raise ValueError(
            "cluster: expected local:N or a scheduler's address like tcp://host:8786, "
            f"got {address!r}"
        )
    return None


@contextmanager
def shared_cluster(address: str | None) -> Iterator[str | None]:
    """An address for several calls with a cluster: the workers of "local:N" start once."""
    count = None if address is None else local_workers(address)
    if count is None:
        yield address
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=count,
        threads_per_worker=max(1, default_threads() // count),
        processes=True,
        dashboard_address="127.0.0.1:0",  # any free port, so that two clusters may be there
    ) as workers:
        yield workers.scheduler_address


@contextmanager
def _client(address: str) -> Iterator[Any]:
    from distributed import Client

    with shared_cluster(address) as there:
        try:
            client = Client(there, timeout=ANSWER_SECONDS, set_as_default=False)
        except OSError as error:
            raise ValueError(f"cluster: no Dask scheduler answers at {address}") from error
        with client:
            yield client
