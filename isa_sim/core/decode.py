"""Pre-decoding: instruction words to the rows the interpreter runs (:mod:`.core_ops`)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.isa.encoding import Decoded, decode

PAGE_BYTES = 4096
PAGE_SHIFT = 12

_MODES = {
    "PLOAD": op.MODE_POST_IMMEDIATE, "PSTORE": op.MODE_POST_IMMEDIATE,
    "PLOADR": op.MODE_POST_REGISTER, "PSTORER": op.MODE_POST_REGISTER,
    "LOADR": op.MODE_REGISTER, "STORER": op.MODE_REGISTER,
}  # fmt: skip
_SIZES = {"b": 1, "h": 2, "w": 4}
_X_SOURCE_FLOATS = frozenset(
    (op.FCVT_F_W, op.FCVT_F_WU, op.HCVT_F_W, op.HCVT_F_WU, op.FMV_W_X, op.FMV_H_X)
)

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
        first = int(self.window[0])
        at = offset - first
        page = at >> PAGE_SHIFT
        end = min((page + 1) * PAGE_BYTES, int(self.window[1]))
        text = memory[offset : first + end + 2].tobytes() + bytes(2)
        rows: list[tuple[int, int, int, int]] = []
        places: list[int] = []
        here = 0
        while at + here < end and self.code[op.ROW * ((at + here) >> 1)] == op.UNDECODED:
            length = 4 if text[here] & 3 == 3 else 2
            word = int.from_bytes(text[here : here + length], "little")
            row = decode_row(word)
            if word == _EBREAK and _asks_host(memory, offset + here):
                row = (row[0] & ~op.OPERATION | op.SEMIHOST, *row[1:])
            rows.append(row)
            places.append((at + here) >> 1)
            here += length
        self.code.reshape(-1, op.ROW)[places] = rows
        self.pages[page] = 1
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

    def _decode(self, start: int, end: int, memory: NDArray[np.uint8]) -> None:
        first = int(self.window[0])
        part = memory[first + start : first + end + 2].astype(np.uint32)
        count = (end - start) // 2
        if count == 0:
            return
        part = np.concatenate((part, np.zeros(4, np.uint32)))
        low = part[0 : 2 * count : 2] | part[1 : 2 * count + 1 : 2] << 8
        high = part[2 : 2 * count + 2 : 2] | part[3 : 2 * count + 3 : 2] << 8
        words = np.where(low & 3 == 3, low | high << 16, low)
        values, inverse = np.unique(words, return_inverse=True)
        rows = np.array([decode_row(word) for word in values.tolist()], np.int64)
        begin = op.ROW * (start // 2)
        self.code[begin : begin + op.ROW * count] = rows[inverse].reshape(-1)
        self.pages[start >> PAGE_SHIFT : (end + PAGE_BYTES - 1) >> PAGE_SHIFT] = 1


def _asks_host(memory: NDArray[np.uint8], at: int) -> bool:
    return memory[max(at - 4, 0) : at + 8].tobytes() == _SEMIHOSTING


@cache
def decode_row(word: int) -> tuple[int, int, int, int]:
    """The row of an instruction word (compressed ones in the low half)."""
    decoded = decode(word)
    length = 2 if word & 3 != 3 else 4
    if decoded is None:
        return op.ILLEGAL | length << op.LENGTH_SHIFT, 0, 0, word
    return _row(decoded.expanded, length, word)


def _row(decoded: Decoded, length: int, word: int) -> tuple[int, int, int, int]:
    row = decoded.instruction
    operands = decoded.operands
    operation = op.OPERATIONS[row.name]
    floats = row.float_operands
    rd, rs1 = operands.get("rd", 0), operands.get("rs1", 0)
    rs2, rs3 = operands.get("rs2", 0), operands.get("rs3", 0)
    immediate = operands.get("imm", 0)
    fields = operation | length << op.LENGTH_SHIFT
    sources = 0
    for key in ("rs1", "rs2", "rs3"):
        if key in operands:
            sources |= 1 << operands[key] + (32 if key in floats else 0)
    if row.reads_destination:
        sources |= 1 << rd + (32 if "rd" in floats else 0)
        rs3 = rd
    mode = _MODES.get(row.format, op.MODE_OFFSET)
    if row.klass in ("load", "store", "event"):
        kind = row.mnemonic.removeprefix("cv.").lstrip("f")
        size = 4 if row.klass == "event" else _SIZES[kind[1]]
        if row.klass == "load" and not kind.endswith("u"):
            fields |= op.FLAG_SIGNED
        if rs1 == 0 and mode in (op.MODE_POST_IMMEDIATE, op.MODE_POST_REGISTER):
            mode, immediate = op.MODE_OFFSET, 0  # x0 stays what it is
        if row.format in ("PLOADR", "LOADR"):
            rs3 = rs2  # the index register has one place in loads and stores
        fields |= size << op.SIZE_SHIFT | mode << op.MODE_SHIFT
        if "rd" in floats or "rs2" in floats:
            fields |= op.FLAG_FLOAT
        if row.klass == "store":
            rd = op.DISCARD
    elif operation >= op.FLOAT_FIRST:
        fields |= op.FLAG_FLOAT if "rd" in floats else 0
        fields |= op.FLAG_SIGNED if operation in _X_SOURCE_FLOATS else 0
        fields |= op.FLAG_REPLICATE if ".r." in row.name else 0
        fields |= {"fdiv": 1, "fsqrt": 2}.get(row.latency, 0) << op.SIZE_SHIFT
        fields |= _rounding(row.name, operands.get("rm")) << op.RM_SHIFT
    elif "csr" in operands:
        immediate = operands["csr"] | immediate << 32
    elif row.format in ("HLC", "HLS", "HLSI", "RII", "BIMM", "HLI", "HLR"):
        if "loop" in operands:
            rs3 = operands["loop"]
            rd = op.DISCARD
        immediate = (immediate & 0xFFFFFFFF) | operands.get("count", 0) << 32
    elif row.name in ("lui", "auipc"):
        immediate <<= 12
    if "rd" not in operands:
        rd = op.DISCARD
    elif "rd" not in floats:
        fields |= op.FLAG_WRITES_X if rd else 0
        rd = rd or op.DISCARD
    fields |= rd << op.RD_SHIFT | rs1 << op.RS1_SHIFT | rs2 << op.RS2_SHIFT | rs3 << op.RS3_SHIFT
    return fields + op.COLD, immediate, _int64(sources & ~1), word


def _rounding(name: str, rm: int | None) -> int:
    """The rm of a row: operations without one round dynamically only where they can round."""
    if rm is not None:
        return rm
    stem = name.removeprefix("v").removesuffix(".ah").removesuffix(".r").removesuffix(".s")
    exact = ("fsgnj", "fmin", "fmax", "feq", "fne", "flt", "fle", "fgt", "fge", "fclass", "fmv")
    if name == "fcvt.s.ah" or not name.endswith((".ah", ".ah.s", ".ah.w", ".ah.wu")):
        return 0
    return 0 if stem.startswith(exact) else 7


def _int64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
