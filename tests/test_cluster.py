"""Studies on Dask: a real scheduler and real workers on this machine."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import psutil
import pytest
from dask import config
from distributed import LocalCluster, Security

import pgcore
from campaigns import warm
from campaigns.targets import dask, measure
from conftest import GRADIENTS as SMALL
from conftest import assert_same_dataset
from pgcore.base.folders import FolderInUseError, FolderLock
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine import cluster
from pgcore.studies.engine.cells import run_plan
from pgcore.studies.engine.store import missing_cells
from regime_case import ONE as SMALL_REGIME
from regime_case import TASK as REGIME_TASK
from regime_case import part
from test_curvature_study import SMALL as SMALL_CURVATURE
from test_landscape import SMALL as SMALL_MAP
from test_step import SMALL as SMALL_STEP
from test_update_study import SMALL as SMALL_UPDATE
from test_value import SMALL as SMALL_VALUE
from test_variance import SMALL as SMALL_VARIANCE

ONE = {"iterations": (2,), "trials": 1}
CASES = {  # a study, how many of the two agents, settings
    "gradient": ("gradient", 2, SMALL),
    "value": ("value", 2, SMALL_VALUE | ONE),
    "landscape": ("landscape", 1, SMALL_MAP | ONE),
    "landscape, adaptive": (
        "landscape", 1, SMALL_MAP | ONE | {"pairs": (600,), "part_pairs": 100, "budget": 12_000},
    ),
    "step": ("step", 1, SMALL_STEP | ONE),
    "update": ("update", 1, SMALL_UPDATE | ONE),
    "variance": ("variance", 1, SMALL_VARIANCE | ONE),
    "curvature": ("curvature", 1, SMALL_CURVATURE | ONE),
}  # fmt: skip

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # of Dask's own shutdown
]


@pytest.fixture(scope="module")
def here(gradients):
    """The study computed in this process."""
    return pgcore.open(gradients)


@pytest.fixture(scope="module")
def scheduler():
    """The address of a running scheduler with two workers, which have loaded pgcore already."""
    warm.serve()
    with (
        config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as workers,
    ):
        yield workers.scheduler_address


@pytest.mark.parametrize("name", CASES)
def test_same_bits_on_workers(runs, here, scheduler, tmp_path, name):
    """Every study: of several stores, with cells that read earlier stores, and in stages."""
    study, sources, settings = CASES[name]
    if name != "gradient":  # which is there
        here = STUDIES[study].measure(runs[:sources], tmp_path / "here", **settings)
    there = STUDIES[study].measure(
        runs[:sources], tmp_path / "there", cluster=scheduler, **settings
    )
    assert_same_dataset(here, there)


def test_a_sample_regime_has_the_same_bits_on_workers(regimes, scheduler, tmp_path):
    """Of one n; its runs are trained there, too."""
    here = part(pgcore.open(regimes), pairs=[512])
    with contextlib.chdir(tmp_path):  # its workers are elsewhere
        there = pgcore.studies.sample_regime(REGIME_TASK, "b", cluster=scheduler, **SMALL_REGIME)
    assert_same_dataset(here, there)


def test_every_study_is_computed_on_workers():
    assert {study for study, *_ in CASES.values()} | {"regime"} == set(STUDIES)


def test_a_worker_that_dies_has_its_cells_redone(runs, tmp_path):
    """A scheduler and two workers as on a cluster; one is killed in the middle."""
    address = "tcp://127.0.0.1:28786"
    scheduler = warm.start(dask, "scheduler", "--port", "28786", "--no-dashboard")
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard")
    workers = [warm.start(dask, "worker", address, *options) for _ in range(2)]
    settings = SMALL | {"true_pairs": 2_500}  # a third of a second per cell
    try:
        plan = STUDIES["gradient"].plan(runs, tmp_path, None, settings)[1]["true.zarr"]
        store = tmp_path / "cut"

        def kill_one():
            while not (store / "gradient" / "c").exists():
                time.sleep(0.01)
            os.killpg(workers[0].pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_one, daemon=True)
        killer.start()
        data = run_plan(plan, store, cluster=address)
        killer.join(timeout=10)
        workers[0].join()
        assert workers[0].exitcode == -signal.SIGKILL
        assert_same_dataset(data, run_plan(plan, tmp_path / "here"))
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.join()


def test_a_study_killed_while_workers_compute_resumes(runs, here, tmp_path):
    """SIGKILL of the process that asked; its workers must end, too. Campaigns kill more often."""

    def finished():
        with contextlib.suppress(FileNotFoundError):  # a store with no whole cell is begun anew
            chunks = [p for v in ("gradient", "gram") for p in tmp_path.glob(f"out/*/{v}/c/**/*")]
            return any(path.is_file() for path in chunks)
        return False

    process = warm.start(measure, "gradient", SMALL, runs, tmp_path / "out", "local:2")
    while process.is_alive() and not finished():
        time.sleep(0.02)  # counting files takes the cores from the workers
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    with pytest.raises(FolderInUseError, match=f"in use by process {process.pid} on"):
        FolderLock(tmp_path / "out")
    process.kill()
    process.join()
    FolderLock(tmp_path / "out").release()  # no worker that still lives holds it
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    plans = STUDIES["gradient"].plan(runs, tmp_path / "out", None, SMALL)[1]
    left = [missing_cells(tmp_path / "out" / n, plan.schema) for n, plan in plans.items()]
    assert any(left), "it was killed before its end"
    cut = pgcore.studies.gradient_quality(runs, tmp_path / "out", **SMALL)
    assert_same_dataset(here, cut)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("nowhere", "expected local:N or a scheduler's address"),
        ("local:0", "N >= 1"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers"),
    ],
)
def test_bad_addresses(runs, tmp_path, monkeypatch, address, text):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    with pytest.raises(ValueError, match=text):
        pgcore.studies.gradient_quality(runs, tmp_path / "out", cluster=address, **SMALL)
    assert not (tmp_path / "out").exists()


def test_a_regime_looks_for_its_scheduler_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    with pytest.raises(ValueError, match="no Dask scheduler answers"):
        pgcore.studies.sample_regime("Hopper-v2", tmp_path / "out", cluster="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


def test_what_is_finished_needs_no_scheduler(runs, here, gradients, tmp_path):
    shutil.copytree(gradients, tmp_path / "out")
    nobody = "tcp://127.0.0.1:1"
    again = pgcore.studies.gradient_quality(runs, tmp_path / "out", cluster=nobody, **SMALL)
    assert_same_dataset(here, again)


def test_a_cluster_without_dask_is_refused_before_any_work(runs, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "distributed" else find(name)
    )
    with pytest.raises(ValueError, match="cluster: needs Dask"):
        pgcore.studies.landscape(runs, tmp_path / "x", cluster="local:2", **SMALL_MAP)
    assert not (tmp_path / "x").exists()


def test_a_scheduler_with_tls(runs, tmp_path, monkeypatch):
    """By Dask's own settings, as the page has them; without a certificate nobody is let in."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-batch",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = {"ca-file": str(certificate), "ciphers": None, "min-version": 1.2, "max-version": None}
    own = {"cert": str(certificate), "key": str(key)}
    settings = {
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls": tls | dict.fromkeys(("client", "scheduler", "worker"), own),
    }
    with config.set(settings), LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tls", security=Security(),
        dashboard_address="127.0.0.1:0",
    ) as tls_cluster:  # fmt: skip
        address = tls_cluster.scheduler_address
        assert address.startswith("tls://")
        few = SMALL | ONE | {"pairs": (64,)}
        data = pgcore.studies.gradient_quality(runs[:1], tmp_path / "a", cluster=address, **few)
        assert np.isfinite(data["gram"]).all()
        plain = address.replace("tls://", "tcp://")
        config.set({"distributed.comm.require-encryption": False})
        monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
        with pytest.raises(ValueError, match="no Dask scheduler answers"):
            pgcore.studies.gradient_quality(runs[:1], tmp_path / "b", cluster=plain, **few)
