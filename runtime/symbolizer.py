"""From addresses to names: functions, buffers, launches and layers of a program."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softex_mlir.runtime.program import Program


class Symbolizer:
    """Explains addresses of one program; the simulator asks it when it reports a fault."""

    def __init__(self, program: Program):
        self._launches: dict[int, dict[str, Any]] = {
            launch["record_address"]: launch for launch in program.metadata["launches"]
        }
        self._symbols = sorted((value, name) for name, value in program.symbols.items() if name)
        self._addresses = [value for value, _ in self._symbols]
        buffers = program.metadata["buffers"]
        self._tcdm = [buffer for buffer in buffers if buffer["space"] == "tcdm"]
        self._l2 = sorted(
            (buffer for buffer in buffers if buffer["space"] == "l2"), key=lambda b: b["address"]
        )
        self._alive: dict[int | None, tuple[list[dict[str, Any]], list[int]]] = {}

    def launch(self, record_address: int) -> dict[str, Any] | None:
        """The launch whose record lies at `record_address` (the value of tp), if any."""
        return self._launches.get(record_address)

    def layer(self, record_address: int) -> str:
        """The model layer of the launch record at `record_address`, or ``<runtime>``."""
        launch = self.launch(record_address)
        return launch["layer"] if launch else "<runtime>"

    def function(self, pc: int) -> str:
        """``symbol+offset`` of an instruction address."""
        index = bisect_right(self._addresses, pc) - 1
        if index < 0:
            return f"{pc:#010x}"
        value, name = self._symbols[index]
        return f"{name}+{pc - value:#x}"

    def object_at(self, address: int, record_address: int) -> dict[str, Any] | None:
        """The object in L2 that holds an address while a launch runs, if any."""
        in_l2, addresses = self._alive_at(record_address)
        index = bisect_right(addresses, address) - 1
        if index < 0 or _distance(in_l2[index], address):
            return None
        return in_l2[index]

    def buffer(self, address: int, record_address: int | None = None) -> str:
        """``buffer+offset`` of a data address, or how far it is from the nearest buffer.

        TCDM buffers are those of the launch's kernel, activations in L2 those that live then.
        """
        launch = self.launch(record_address) if record_address is not None else None
        kernel = launch["kernel"] if launch else None
        near = [buffer for buffer in self._tcdm if buffer["kernel"] in (kernel, None)]
        in_l2, addresses = self._alive_at(record_address if launch else None)
        index = bisect_right(addresses, address)
        near += in_l2[max(0, index - 1) : index + 1]
        if not near:
            return f"{address:#010x}"
        buffer = min(near, key=lambda buffer: _distance(buffer, address))
        offset = address - buffer["address"]
        if 0 <= offset < buffer["bytes"]:
            return f"{buffer['name']}+{offset:#x}"
        if offset < 0:
            return f"{-offset:#x} bytes before {buffer['name']}"
        return f"{offset - buffer['bytes']:#x} bytes past {buffer['name']}"

    def _alive_at(self, record: int | None) -> tuple[list[dict[str, Any]], list[int]]:
        """The objects in L2 while a launch runs, and their addresses; None: all there ever are."""
        if record not in self._alive:
            found = [b for b in self._l2 if record is None or _lives(b, record)]
            self._alive[record] = found, [buffer["address"] for buffer in found]
        return self._alive[record]


def _lives(buffer: dict[str, Any], record: int) -> bool:
    first, last = buffer.get("records") or (record, record)
    return first <= record <= last


def _distance(buffer: dict[str, Any], address: int) -> int:
    """Bytes between a buffer and an address; 0 inside."""
    end = buffer["address"] + buffer["bytes"]
    return max(buffer["address"] - address, address - end + 1, 0)
