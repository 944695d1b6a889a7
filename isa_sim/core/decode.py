"""Pre-decoding: instruction words to the rows the interpreter runs (:mod:`.core_ops`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core.decode_plan import plan

PAGE_BYTES = 4096
PAGE_SHIFT = 12

_EBREAK = 0x00100073
_SEMIHOSTING = b"".join(word.to_bytes(4, "little") for word in (0x01F01013, _EBREAK, 0x40705013))
"""The sequence that makes a breakpoint a request (RISC-V semihosting specification 1.0)."""
_FETCH_FAULT = op.FETCH_FAULT | 4 << op.LENGTH_SHIFT | op.DISCARD << op.RD_SHIFT


class DecodedCode(NamedTuple):
    """Code and where it lies; all arrays are shared by the cores.

    ``code`` int64[4 * (halfwords + 1)] holds rows for ``window[1]`` bytes of memory from offset
    ``window[0]`` of the memory array, and last a row that is a fetch fault; ``pages`` uint8 marks
    the decoded 4 KiB pages; ``touched`` uint8 marks instruction cache lines fetched before;
    ``regions`` int64[n, 3] lists (base address, bytes, offset in the memory array).
    """

    code: NDArray[np.int64]
    pages: NDArray[np.uint8]
    touched: NDArray[np.uint8]
    regions: NDArray[np.int64]
    window: NDArray[np.int64]

    @staticmethod
    def create(regions: list[tuple[int, int, int]], first: int, size: int) -> DecodedCode:
        """Rows for memory offsets ``first`` .. ``first + size`` (``first`` a multiple of 4096)."""
        if first % PAGE_BYTES:
            raise ValueError(f"code window starts at 0x{first:x}, expected a multiple of 4096")
        halfwords = (size + 1) // 2
        code = np.zeros(op.ROW * (halfwords + 1), np.int64)
        code[-op.ROW] = _FETCH_FAULT
        return DecodedCode(
            code=code,
            pages=np.zeros(size // PAGE_BYTES + 2, np.uint8),
            touched=np.zeros(size // 4 + 1, np.uint8),
            regions=np.array(regions, np.int64).reshape(-1, 3),
            window=np.array([first, size], np.int64),
        )

    def offset(self, address: int) -> int | None:
        """Memory offset of an address; None outside the regions."""
        for base, size, offset in self.regions.tolist():
            if 0 <= address - base < size:
                return offset + address - base
        return None

    def decode_at(self, address: int, memory: NDArray[np.uint8]) -> bool:
        """Decode from an address to the end of its page; False outside the code window.

        Instruction after instruction: what jumps between them reach is decoded when reached.
        """
        offset = self.offset(address)
        if offset is None or not 0 <= offset - self.window[0] < self.window[1]:
            return False
        at = offset - int(self.window[0])
        end = min(((at >> PAGE_SHIFT) + 1) * PAGE_BYTES, int(self.window[1]))
        end = self._decode(at, end, memory, in_order=True)
        rows = self.code.reshape(-1, op.ROW)[at >> 1 : (end + 1) >> 1]
        breaks = rows[:, op.W_FIELDS] & op.OPERATION == op.EBREAK
        for place in np.flatnonzero(breaks & (rows[:, op.W_RAW] == _EBREAK)).tolist():
            if _asks_host(memory, offset + 2 * place):
                rows[place, op.W_FIELDS] += op.SEMIHOST - op.EBREAK
        return True

    def decode_all(self, memory: NDArray[np.uint8]) -> None:
        """Decode the whole window."""
        self._decode(0, int(self.window[1]), memory)

    def decode_range(self, offset: int, size: int, memory: NDArray[np.uint8]) -> None:
        """Decode the halfwords of a range of memory offsets; what is outside the window is not."""
        start = max(offset - int(self.window[0]), 0)
        end = min(offset - int(self.window[0]) + size, int(self.window[1]))
        start += start % 2
        if start < end:
            self._decode(start, start + (end - start) // 2 * 2, memory)

    def flush(self) -> None:
        """Forget all decoded code (after memory was written from outside)."""
        self.code[: -op.ROW] = 0
        self.pages[:] = 0

    def _decode(
        self, start: int, end: int, memory: NDArray[np.uint8], *, in_order: bool = False
    ) -> int:
        from softex_mlir.isa_sim.core.decode_kernel import decode_words

        first = int(self.window[0])
        stopped: int = decode_words(plan(), memory, first, start, end, in_order, self.code)
        self.pages[start >> PAGE_SHIFT : (end + PAGE_BYTES - 1) >> PAGE_SHIFT] = 1
        return stopped


def _asks_host(memory: NDArray[np.uint8], at: int) -> bool:
    return memory[max(at - 4, 0) : at + 8].tobytes() == _SEMIHOSTING
