"""Requests in one queue to equal clusters: the first free cluster takes the oldest request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from heapq import heapify, heapreplace
from typing import Any

import numpy as np
import numpy.typing as npt

from softex_mlir.runtime.requests.arrivals import Arrivals
from softex_mlir.runtime.requests.service import Service

ASSUMPTIONS = (
    "one queue, first come first served: the first free cluster takes the oldest request",
    "all models lie in the L2 that the clusters share: changing the model costs nothing, and a "
    "cluster is as fast beside the others as alone",
    "a request takes what the measured run took, whatever its inputs",
    "clusters that wait take the energy of the clock tree and leakage: no power gating",
)
"""In the words of the report."""


@dataclass(frozen=True)
class Latency:
    """Seconds from arrival to result: median, and what so many in a hundred stay within."""

    requests: int
    mean: float
    p50: float
    p95: float
    p99: float
    longest: float

    @staticmethod
    def of(seconds: npt.NDArray[np.float64]) -> Latency:
        """Of some requests, at least one; percentiles are those of requests, not in between."""
        p50, p95, p99 = np.percentile(seconds, (50, 95, 99), method="inverted_cdf")
        longest = float(seconds.max())
        return Latency(
            len(seconds), float(seconds.mean()), float(p50), float(p95), float(p99), longest
        )


@dataclass(frozen=True)
class Served:
    """A stream of requests served by so many clusters.

    Attributes:
        rate: requests a second that arrive.
        load: work that arrives over what the clusters can do; from 1 on the queue grows for ever.
        utilisation: share of the clusters' time, from the first arrival to the last result, in
            which they work.
        throughput: results a second in that time.
        energy_j: J a request: of its run, and with the waiting of all clusters shared out.
        within: share of the requests that kept to the deadline; None if there is none.
        models: by name, those that were asked for.
    """

    clusters: int
    rate: float
    load: float
    latency: Latency
    waiting_s: float
    utilisation: float
    throughput: float
    run_energy_j: float
    energy_j: float
    within: float | None
    models: dict[str, Latency]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def serve(
    arrivals: Arrivals, services: Sequence[Service], clusters: int, deadline_s: float | None = None
) -> Served:
    """What becomes of requests."""
    times = arrivals.times
    taking = np.asarray([service.seconds for service in services])[arrivals.models]
    ends = _ends(times, taking, clusters)
    latency = ends - times
    span = float(ends.max() - times[0])
    work = float(taking.sum())
    joules = np.asarray([service.energy_j for service in services])[arrivals.models]
    # Every service is of the same machine: what waits is the same.
    idle = services[0].idle_watts * (clusters * span - work)
    asked = [place for place in range(len(services)) if (arrivals.models == place).any()]
    mean = work / len(times)
    return Served(
        clusters,
        arrivals.rate,
        arrivals.rate * mean / clusters,
        Latency.of(latency),
        float((latency - taking).mean()),
        work / (clusters * span),
        len(times) / span,
        float(joules.mean()),
        float(joules.mean()) + idle / len(times),
        None if deadline_s is None else float((latency <= deadline_s).mean()),
        {services[i].name: Latency.of(latency[arrivals.models == i]) for i in asked},
    )


def _ends(
    times: npt.NDArray[np.float64], taking: npt.NDArray[np.float64], clusters: int
) -> npt.NDArray[np.float64]:
    """When each request is done, s."""
    free = [0.0] * clusters
    heapify(free)
    ends: list[float] = []
    for arrived, seconds in zip(times.tolist(), taking.tolist(), strict=True):
        end = max(arrived, free[0]) + seconds
        heapreplace(free, end)
        ends.append(end)
    return np.asarray(ends)
