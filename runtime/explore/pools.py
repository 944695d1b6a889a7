"""Who evaluates points: processes of this host, or the workers of a Dask scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

from softex_mlir.runtime.explore.point import Point, Row
from softex_mlir.runtime.remote import Remote, other_code
from softex_mlir.runtime.workers import born_deaf, follow_parent

Work = Callable[[Point], Row]


class Pool(Protocol):
    """Evaluates points."""

    def evaluated(self, points: Sequence[Point], work: Work) -> Iterator[tuple[Point, Row]]:
        """Points and their rows as they come; those whose workers died are missing."""
        ...


@dataclass(frozen=True)
class HostCores:
    """Processes of this host, by default one a core."""

    workers: int | None = None

    def evaluated(self, points: Sequence[Point], work: Work) -> Iterator[tuple[Point, Row]]:
        """Points and their rows as they come."""
        # A fork of a process with threads may hang; a fresh one has nothing to share.
        most = min(self.workers or os.cpu_count() or 1, len(points))
        pool = ProcessPoolExecutor(most, get_context("spawn"), follow_parent)
        with pool:
            with born_deaf():
                futures = {pool.submit(work, point): point for point in points}
            try:
                for future in as_completed(futures):
                    try:
                        yield futures[future], future.result()
                    except BrokenProcessPool:
                        continue
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@dataclass(frozen=True)
class DaskWorkers:
    """The workers of a Dask scheduler."""

    scheduler: Remote

    def evaluated(self, points: Sequence[Point], work: Work) -> Iterator[tuple[Point, Row]]:
        """Points and their rows as they come.

        Raises:
            UserError: the library is missing, nobody answers at the address, or a worker has other
                code or other files than this process.
        """
        with self.scheduler.client() as (distributed, client):
            wanted = {
                client.submit(_checked, work, point, point.key, pure=False, retries=0): point
                for point in points
            }
            try:
                for future in distributed.as_completed(wanted):
                    try:
                        yield wanted[future], future.result()
                    except distributed.KilledWorker:
                        continue
            finally:
                client.cancel(list(wanted))


def _checked(work: Work, point: Point, key: str) -> Row:
    """The row of a point, by a worker that sees the same code and the same files."""
    if point.key != key:
        raise other_code(point.model)
    return work(point)
