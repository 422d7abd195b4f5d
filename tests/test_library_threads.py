"""Threads that torch, MKL and OpenBLAS take for themselves change no bit of anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import threads_worker
from campaigns.folders import differences
from pgcore.studies.catalog import STUDIES

WORKER = Path(threads_worker.__file__)


@pytest.mark.timeout(300)
def test_training_and_every_study_have_the_same_bits(tmp_path):
    """Here with one thread, in a process whose libraries have four, on however few cores."""
    environment = {**os.environ, "OMP_NUM_THREADS": "4", "MKL_DYNAMIC": "FALSE"}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # more threads than cores, which must not spin
    environment.pop("MKL_NUM_THREADS", None)
    environment.pop("OPENBLAS_NUM_THREADS", None)
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(tmp_path / "4")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert torch.get_num_threads() == 1
        threads_worker.main(tmp_path / "1")
        _, said = process.communicate()
    assert process.returncode == 0, said[-2000:]
    assert differences(tmp_path / "1", tmp_path / "4") == []


def test_every_study_is_among_them():
    assert {*threads_worker.LARGE, "regime"} == set(STUDIES)
