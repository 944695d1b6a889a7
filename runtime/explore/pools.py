"""Who evaluates points: processes of this host, or the workers of a Dask scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

from softex_mlir.errors import UserError
from softex_mlir.runtime.explore.point import Point, Row, code_hash

Work = Callable[[Point], Row]

DEATHS = 2
"""How many workers may die of a point before Dask gives it back."""


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
        pool = ProcessPoolExecutor(most, mp_context=get_context("spawn"))
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


@dataclass(frozen=True)
class DaskWorkers:
    """The workers of a Dask scheduler, wherever they are.

    Dask rather than Ray: its workers are plain Python processes that can join and leave a running
    sweep, its scheduler starts a dead worker's tasks again, and it installs anywhere.

    Attributes:
        address: of the scheduler, ``tcp://host:port``.
    """

    address: str
    patience_s: float = 10.0

    def evaluated(self, points: Sequence[Point], work: Work) -> Iterator[tuple[Point, Row]]:
        """Points and their rows as they come.

        Raises:
            UserError: the library is missing, nobody answers at the address, or a worker has other
                code or other files than this process.
        """
        distributed = _library()
        try:
            client: Any = distributed.Client(self.address, timeout=self.patience_s)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--scheduler {self.address}: no Dask scheduler answers: {error}; start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`"
            ) from error
        with client:
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


def _library() -> Any:
    try:
        import dask  # pyright: ignore
        import distributed  # pyright: ignore
    except ImportError as error:
        raise UserError(
            f"--scheduler needs {error.name}: pip install 'softex-mlir[distributed]'"
        ) from error
    dask.config.set({"distributed.scheduler.allowed-failures": DEATHS})  # pyright: ignore
    return distributed  # pyright: ignore


def _checked(work: Work, point: Point, key: str) -> Row:
    """The row of a point, by a worker that sees the same code and the same files."""
    if point.key != key:
        import socket

        raise UserError(
            f"the worker on {socket.gethostname()} has another softex-mlir ({code_hash()[:12]}) or "
            f"another {point.model}: expected those of the process that began the sweep"
        )
    return work(point)
