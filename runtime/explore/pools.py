"""Who evaluates points: processes of this host, or the workers of a Dask scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Protocol

from softex_mlir.runtime.explore.point import Point, Row
from softex_mlir.runtime.remote import Remote, other_code

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
        pool = ProcessPoolExecutor(most, get_context("spawn"), _end_with_parent)
        with pool:
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


def _end_with_parent() -> None:
    """A process that is terminated tells its workers nothing: they look after it themselves."""
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    Thread(target=follow, daemon=True).start()


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
