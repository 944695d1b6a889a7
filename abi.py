"""What programs and the simulator of their cluster agree on beyond the hardware.

A program is a list of launches that up to four *streams* walk, each in order at its own pace. A
stream counts what it has done in a word of TCDM and raises the software event of its number;
others wait for values of the counter.

TCDM begins with `COUNTER_BYTES` of counters, then a stack for each core. Registers while kernels
run: ``sp`` the core's stack, ``tp`` the record of the running launch, ``gp`` four times the number
of the core's stream, the place of its entry in a record. A record is words: entry points by
stream (0: nothing to do), values of the counters before the launch, the kernel's arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

DMA_IN: Final = "dma_in"
DMA_OUT: Final = "dma_out"
REDMULE: Final = "redmule"
COMPUTE: Final = "compute"
STREAMS: Final = (DMA_IN, DMA_OUT, REDMULE, COMPUTE)
"""In the order of their counters, software events and words of a launch record."""

COUNTER_BYTES: Final = 64
"""Bytes at the start of the TCDM that hold the streams' counters: a word each, the rest is free."""
STACK_BYTES: Final = 512
"""Bytes of stack of each core, after the counters."""

RECORD_REGISTER: Final = 4
"""Number of register ``tp``."""
BASE_WORD: Final = len(STREAMS)
"""First word of a launch record with the value of a counter before the launch."""
ARGUMENT_WORD: Final = 2 * len(STREAMS)
"""First word of a launch record with an argument of the kernel."""

PROGRAM_BARRIER: Final = 0
"""Hardware barrier of all cores, at the end of the program."""
TEAM_BARRIER: Final = 1
"""Hardware barrier of the cores of stream `compute`."""

MAIN: Final = "main"
"""Name of a model's function if it has only one; others are entries of one program."""

ENCODE: Final = "encode"
"""The entry of an encoder, which leaves what decoding steps attend to."""

NOTE_NAME: Final = "softex"
NOTE_KIND: Final = 1
NOTE_SECTION: Final = ".note.softex"
FORMAT_VERSION: Final = 1
"""Of the JSON in the note."""
TRANSFORMER_SECTION: Final = ".softex.transformer"
"""The model at the transformer level, as text."""


def stream_cores(cores: int, has_redmule: bool) -> dict[str, range]:
    """Which cores drive each stream: one each for the DMA and RedMulE, the others as a team."""
    first = 3 if has_redmule else 2
    return {
        DMA_IN: range(0, 1),
        DMA_OUT: range(1, 2),
        REDMULE: range(2, first),
        COMPUTE: range(first, max(first, cores)),
    }


@dataclass(frozen=True)
class Port:
    """An input or output, from the model's interface to its place in L2.

    In memory the tensor is `rows` rows of `columns` elements, `pitch` elements apart. Elements of
    an integer input must be in [0, limit) if there is a `limit` (ids that select rows of a table).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    """Of a model: float32, float16, bfloat16, int64, int32, bool; of a program: bf16, i32."""
    pitch: int = 0
    limit: int | None = None
    values: tuple[int, int] | None = None
    """Smallest and largest integer from which all that is computed fits 32 bits."""
    symbol: str = ""
    """The global it lies in, before linking."""
    address: int = 0
    """Byte address, in a linked program."""

    @property
    def rows(self) -> int:
        """Elements of all dimensions but the last."""
        return prod(self.shape[:-1])

    @property
    def columns(self) -> int:
        """Elements of the last dimension."""
        return self.shape[-1] if self.shape else 1

    @property
    def item_bytes(self) -> int:
        """Bytes an element takes in a program's memory."""
        return 2 if self.dtype == "bf16" else 4

    def to_json(self) -> dict[str, Any]:
        """The entry of a program's note."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "address": self.address,
            "rows": self.rows,
            "columns": self.columns,
            "pitch_elements": self.pitch,
            "limit": self.limit,
            "values": None if self.values is None else list(self.values),
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Port:
        """The port that an entry of a program's note describes."""
        return Port(
            name=entry["name"],
            shape=tuple(entry["shape"]),
            dtype=entry["dtype"],
            pitch=entry["pitch_elements"],
            limit=entry.get("limit"),
            values=None if entry.get("values") is None else (*entry["values"],),
            address=entry["address"],
        )
