"""Work on the workers of a Dask scheduler, wherever they are (extra `distributed`).

Dask rather than Ray: its workers are plain Python processes that can join and leave while there is
work, its scheduler begins a dead worker's tasks again, and it installs anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from softex_mlir.errors import UserError
from softex_mlir.files import code_hash

ResultT = TypeVar("ResultT")

DEATHS = 2
"""How many workers may die of a task before Dask gives it back."""
ATTEMPTS = 3
"""How often a task is begun before it is given up: a worker may die of something else."""


@dataclass(frozen=True)
class Remote:
    """A Dask scheduler.

    Attributes:
        address: ``tcp://host:port``.
    """

    address: str
    patience_s: float = 10.0

    @contextmanager
    def client(self) -> Generator[tuple[Any, Any]]:
        """Dask's library and a client of the scheduler.

        Raises:
            UserError: the library is missing, or nobody answers at the address.
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
            yield distributed, client

    def map(self, task: Callable[[Any], ResultT], items: Sequence[Any]) -> Iterator[ResultT]:
        """Results of a task in the order of its items. A worker that dies costs its tasks another
        attempt.

        Raises:
            UserError: see `client`; workers have other code; an item's workers always die.
        """
        with self.client() as (distributed, client):
            # a task of its own: a worker that dies with it does not take it along
            held = client.submit(_same, task, pure=False)
            wanted = [self._submit(client, held, item) for item in items]
            try:
                for place, item in enumerate(items):
                    yield self._result(distributed, client, held, item, wanted, place)
            finally:
                client.cancel([held, *wanted])

    def _submit(self, client: Any, held: Any, item: Any) -> Any:
        return client.submit(_apply, held, item, code_hash(), pure=False)

    def _result(
        self, distributed: Any, client: Any, held: Any, item: Any, wanted: list[Any], place: int
    ) -> Any:
        for _ in range(ATTEMPTS):
            try:
                return wanted[place].result()
            except distributed.KilledWorker:
                wanted[place] = self._submit(client, held, item)
        raise UserError(
            f"--scheduler {self.address}: workers died of item {place} {ATTEMPTS} times"
        )


def other_code(subject: str) -> UserError:
    """This worker does not see what the process sees that hands out the work."""
    import socket

    return UserError(
        f"the worker on {socket.gethostname()} has another softex-mlir ({code_hash()[:12]}) or "
        f"another {subject}: expected those of the process that hands out the work"
    )


def _same(task: ResultT) -> ResultT:
    return task


def _apply(task: Callable[[Any], Any], item: Any, code: str) -> Any:
    if code_hash() != code:
        raise other_code("copy of it")
    return task(item)


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
