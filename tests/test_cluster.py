"""Studies on Dask: a real scheduler and real workers on this machine."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import pgcore
from conftest import assert_same_dataset
from pgcore.studies.cells import run_plan
from pgcore.studies.gradient import GradientStudy
from test_studies import SMALL

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore"),  # of Dask's own shutdown
]


@pytest.fixture(scope="module")
def here(runs, tmp_path_factory):
    """The study computed in this process."""
    return pgcore.studies.gradient_quality(runs, tmp_path_factory.mktemp("here"), **SMALL)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_same_bits_on_workers(runs, here, tmp_path, workers):
    data = pgcore.studies.gradient_quality(runs, tmp_path, cluster=f"local:{workers}", **SMALL)
    assert_same_dataset(here, data)


def _start(module, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_a_worker_that_dies_has_its_cells_redone(runs, tmp_path):
    """A scheduler and two workers as on a cluster; one is killed in the middle."""
    address = "tcp://127.0.0.1:28786"
    scheduler = _start("distributed.cli.dask_scheduler", "--port", "28786", "--no-dashboard")
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard")
    workers = [_start("distributed.cli.dask_worker", address, *options) for _ in range(2)]
    settings = SMALL | {"true_pairs": 40_000}  # seconds per cell
    try:
        plan, _ = GradientStudy(**settings).plans(runs, tmp_path)
        store = tmp_path / "cut"

        def kill_one():
            while not (store / "gradient" / "c").exists():
                time.sleep(0.01)
            os.killpg(workers[0].pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_one, daemon=True)
        killer.start()
        time.sleep(3)  # until the scheduler listens
        data = run_plan(plan, store, cluster=address)
        killer.join(timeout=10)
        assert workers[0].wait() == -signal.SIGKILL
        assert_same_dataset(data, run_plan(plan, tmp_path / "here"))
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("nowhere", "expected local:N or a scheduler's address"),
        ("local:0", "N >= 1"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers"),
    ],
)
def test_bad_addresses(runs, tmp_path, address, text):
    with pytest.raises(ValueError, match=text):
        pgcore.studies.gradient_quality(runs, tmp_path, cluster=address, **SMALL)
