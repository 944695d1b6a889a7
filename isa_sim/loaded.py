"""What a run needs of the cluster that it runs on."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from softex_mlir.isa_sim.core.decode import DecodedCode
from softex_mlir.isa_sim.core.state import CoreState
from softex_mlir.isa_sim.devices.state import Devices
from softex_mlir.isa_sim.diagnosis import AddressNames
from softex_mlir.isa_sim.machine import Machine


class LoadedCluster(Protocol):
    """A machine with its memories and a program in them."""

    machine: Machine
    symbolizer: AddressNames | None
    contention: bool
    tcdm: np.ndarray
    l2: np.ndarray
    devices: Devices
    state: CoreState
    program: DecodedCode | None
    written: list[tuple[int, int]]
    entry: int | None

    @property
    def code_span(self) -> tuple[int, int]:
        """First address and bytes of what the segments hold of code."""
        ...

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes at an address in TCDM or L2."""
        ...
