"""The TCDM over time: bytes that buffers of launches at work lie on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from softex_mlir.arithmetic import covered
from softex_mlir.runtime.costs.ledger import Ledger
from softex_mlir.runtime.costs.tracks import Ints


def occupied_bytes(metadata: Mapping[str, Any], ledger: Ledger, start: Ints, end: Ints) -> Ints:
    """Bytes of the TCDM in use in each interval [start, end) of cycles."""
    spans: dict[str | None, list[tuple[int, int]]] = {}
    for buffer in metadata["buffers"]:
        if buffer["space"] == "tcdm":
            at = buffer["address"]
            spans.setdefault(buffer["kernel"], []).append((at, at + buffer["bytes"]))
    known: dict[frozenset[str | None], int] = {}
    result: list[int] = []
    kernels = np.array([launch["kernel"] for launch in metadata["launches"]], object)
    for a, b in zip(start.tolist(), end.tolist(), strict=True):
        active = (ledger.start[:-1] < b) & (ledger.end[:-1] > a)
        key = frozenset[str | None]([None, *kernels[active]])
        if key not in known:
            known[key] = covered(span for kernel in key for span in spans.get(kernel, ()))
        result.append(known[key])
    return np.array(result, np.int64)
