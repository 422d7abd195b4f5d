"""The sample regime: training and its estimates when the pairs per iteration are varied.

Paper, contribution list and section 2.1. Agents are trained at every point of the grid pairs per
iteration x learning rate (TRPO's bound delta), all with equal total pairs and equal seeds. Their
true reward is measured after shares of training and at its end, and the gradient and the step study
look at them with their own n.

In the folder: ``runs/``, training runs as `pgcore train` makes them; ``gradient/`` and ``step/``,
these studies for each algorithm and n, with the rates as agents; ``dataset.zarr``, true rewards;
``training.zarr``, what the runs told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pgcore.base.errors import check_path
from pgcore.base.folders import FolderLock
from pgcore.base.threads import chosen_threads
from pgcore.studies.engine.cluster import check_cluster, shared_cluster
from pgcore.studies.engine.study import Study
from pgcore.studies.regime.call import check_call
from pgcore.studies.regime.describing import describe_regime
from pgcore.training.config import TrainConfig


class SampleRegime(Study):
    """The row of the sample regime, which trains its agents: it is given a task."""

    trains: ClassVar[bool] = True

    def measure(
        self,
        task: Any,
        out: str | Path,
        /,
        *,
        num_threads: int | None = None,
        cluster: str | None = None,
        lowered: bool | None = None,
        warm_up: bool = True,
        configs: Mapping[str, TrainConfig] | None = None,
        **settings: Any,
    ) -> Any:
        """Train agents on a task over the grid, and measure them; what is there is kept.

        Args:
            task: an id, a task file or a :class:`pgcore.TaskSpec`.
            out: folder of the runs and stores.
            num_threads, cluster, lowered, warm_up: as in all studies.
            configs: settings of training by algorithm, of which the grid varies some; else presets.
            settings: fields of :class:`~pgcore.studies.regime.settings.RegimeStudy`.

        Raises:
            ValueError: bad argument, or ``out`` holds something else.
            StudyError: some runs or cells failed; everything else is stored.
        """
        out = check_path("out", out).resolve()  # a cluster's workers may be in another folder
        call = check_call(task, out, self.chosen(settings), configs, lowered, warm_up)
        chosen_threads(num_threads)
        if cluster is not None:
            check_cluster(cluster, lambda: any(run.left() for run in call.runs))
        with FolderLock(out), shared_cluster(cluster) as there:
            call.compute(num_threads, there)
        return self.open(out)

    def describe(
        self,
        task: Any,
        out: str | Path,
        /,
        *,
        num_threads: int | None = None,
        lowered: bool | None = None,
        warm_up: bool = True,
        configs: Mapping[str, TrainConfig] | None = None,
        **settings: Any,
    ) -> str:
        """What :meth:`measure` would compute, and how long it would take."""
        out, threads = check_path("out", out).resolve(), chosen_threads(num_threads)
        call = check_call(task, out, self.chosen(settings), configs, lowered, warm_up)
        return describe_regime(call, threads)
