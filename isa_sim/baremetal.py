"""Running bare-metal ELF32 programs on one core: conformance suites, benchmarks, small tests.

Any executable of a RISC-V toolchain will do. A program ends by

- a write to ``tohost`` (1: passed; ``n << 1 | 1``: exit code n, in riscv-tests the failed test);
- ``ecall`` with a7 = 93 and the exit code in a0, or ``ebreak``, while no trap handler is installed;
- a jump to itself, or ``wfi`` with all interrupts disabled: the exit code is a0.

All memory the program's segments touch exists, and :data:`SLACK_BYTES` after the last of them for
stack and heap; an access elsewhere is an access fault. Memory takes one cycle.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softex_mlir.isa_sim import core_state as st
from softex_mlir.isa_sim.errors import UserError
from softex_mlir.isa_sim.machine import Machine

SLACK_BYTES = 128 << 20
"""Zeroed bytes mapped after each group of segments (host memory is only taken when touched)."""
SLICE_INSTRUCTIONS = 50_000_000
"""Instructions between progress reports and chances to interrupt."""
_GAP_BYTES = 1 << 22
_MEMORY_LIMIT = 1 << 30


class BareMetalError(UserError, ValueError):
    """A file that is no bare-metal program for this core."""


@dataclass
class BareMetalResult:
    """How a program ended. ``exit_code`` 0 is success, None means it did not end by itself.

    ``reason`` says how it ended in words; ``seconds`` is host time; ``output`` what the program
    wrote through the host interface; ``signature`` the words between ``begin_signature`` and
    ``end_signature``; ``registers`` x0..x31 at the end.
    """

    exit_code: int | None
    reason: str
    cycles: int
    instructions: int
    seconds: float
    pc: int
    registers: tuple[int, ...]
    output: str = ""
    signature: tuple[int, ...] = ()
    symbols: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def mips(self) -> float:
        """Simulated instructions per host second, in millions."""
        return self.instructions / max(self.seconds, 1e-9) / 1e6


@dataclass
class Image:
    """A program: where it starts, its segments (address, data, bytes in memory), its symbols."""

    entry: int
    segments: list[tuple[int, bytes, int]]
    symbols: dict[str, int] = field(default_factory=dict[str, int])


def run_elf(
    path: str | Path,
    machine: Machine | None = None,
    max_instructions: int = 1_000_000_000,
    signature: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> BareMetalResult:
    """Load and run an ELF32 file.

    ``signature`` names a file for the signature in the riscv-arch-test convention: one 32-bit
    word a line, eight lower-case hexadecimal digits. ``progress`` is called with the instructions
    executed after every :data:`SLICE_INSTRUCTIONS`.
    """
    hart = BareMetal(path, machine)
    result = hart.run(max_instructions, progress)
    if signature is not None:
        if not result.signature:
            raise BareMetalError(
                f"{path}: a signature was asked for, but the file has no symbols "
                "begin_signature and end_signature"
            )
        lines = "".join(f"{word:08x}\n" for word in result.signature)
        Path(signature).write_text(lines, encoding="ascii")
    return result


class BareMetal:
    """One core with the memory of one program."""

    def __init__(
        self, path: str | Path, machine: Machine | None = None, image: Image | None = None
    ) -> None:
        """Load the ELF file, or ``image`` if one is given (``path`` then only names it)."""
        from softex_mlir.isa_sim.core_decode import Program

        self.path = Path(path)
        image = image or _read_elf(self.path)
        self.symbols = image.symbols
        regions, total = _regions(image, self.path)
        self.memory: NDArray[np.uint8] = np.zeros(total, np.uint8)
        self.program = Program.create(regions, 0, total)
        for address, data, _ in image.segments:
            offset = self.program.offset(address)
            assert offset is not None
            self.memory[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
        self.tcdm: NDArray[np.uint8] = np.zeros(4, np.uint8)
        self.state = st.make_state(machine or Machine.load(), 1)
        config = self.state.config
        config[st.TCDM_BYTES] = 0
        config[st.L2_BASE], config[st.L2_BYTES], _ = regions[0]
        config[st.L2_LATENCY] = 1
        config[st.MACHINE_MODE] = 1
        config[st.REFILL] = 0
        config[st.HOST_ADDRESS] = self.symbols.get("tohost", -1)
        self.state.s[0, st.PC] = image.entry
        self._output: list[str] = []

    def run(
        self,
        max_instructions: int = 1_000_000_000,
        progress: Callable[[int], None] | None = None,
    ) -> BareMetalResult:
        """Run to the end of the program or ``max_instructions``."""
        from softex_mlir.isa_sim.core import run_core

        row = self.state.s[0]
        # compiles the interpreter if it is not cached, so that `seconds` is simulation only
        run_core(0, -1, self.state, self.program, self.tcdm, self.memory, None)
        began = time.perf_counter()
        while True:
            executed = int(row[st.INSTRUCTIONS])
            row[st.INSTRUCTION_LIMIT] = min(max_instructions, executed + SLICE_INSTRUCTIONS)
            status = run_core(0, 1 << 62, self.state, self.program, self.tcdm, self.memory, None)
            pc = int(row[st.PC])
            exit_code: int | None = None
            if status == st.LIMIT:
                if progress is not None:
                    progress(int(row[st.INSTRUCTIONS]))
                if row[st.INSTRUCTIONS] < max_instructions:
                    continue
                reason = f"still running after {max_instructions:,} instructions"
            elif status == st.DECODE and self.program.decode_at(pc, self.memory):
                continue
            elif status == st.HOST:
                exit_code = self._host_request()
                if exit_code is None:
                    continue
                reason = "passed" if exit_code == 0 else f"failed: tohost reports {exit_code}"
            else:
                exit_code, reason = self._stop(status)
            break
        seconds = time.perf_counter() - began
        return BareMetalResult(
            exit_code=exit_code,
            reason=reason,
            cycles=int(row[st.CYCLE]),
            instructions=int(row[st.INSTRUCTIONS]),
            seconds=seconds,
            pc=pc,
            registers=tuple(int(v) & 0xFFFFFFFF for v in self.state.x[0, :32]),
            output="".join(self._output),
            signature=self._signature(),
            symbols=self.symbols,
        )

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's memory; a UserError outside it."""
        offset = self.program.offset(address)
        if offset is None or offset + size > self.memory.size:
            raise BareMetalError(
                f"{self.path}: {size} bytes at 0x{address:08x} are outside the program's memory"
            )
        return self.memory[offset : offset + size].tobytes()

    def _word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def _write_word(self, address: int, value: int) -> None:
        offset = self.program.offset(address)
        if offset is not None:
            self.memory[offset : offset + 4] = np.frombuffer(
                (value & 0xFFFFFFFF).to_bytes(4, "little"), np.uint8
            )

    def _stop(self, status: int) -> tuple[int | None, str]:
        """Exit code and reason of a program that stopped without writing tohost."""
        row = self.state.s[0]
        code, pc = int(row[st.FAULT_CODE]), int(row[st.FAULT_PC])
        registers = self.state.x[0]
        text = st.FAULT_TEXT.get(code, f"code {code}")
        if status == st.STOPPED and code == st.STOP_ECALL:
            if registers[17] == 93:
                value = int(registers[10])
                return value, "passed" if value == 0 else f"exit code {value}"
            return None, f"environment call {registers[17]} without a trap handler at 0x{pc:08x}"
        if status == st.STOPPED:
            return int(registers[10]), f"{text} at 0x{pc:08x}"
        return None, (
            f"{text} without a trap handler at 0x{pc:08x}, value 0x{int(row[st.FAULT_ADDRESS]):08x}"
        )

    def _host_request(self) -> int | None:
        """Serve a write to ``tohost``; the exit code if it ends the program."""
        address = self.symbols["tohost"]
        value = self._word(address)
        if value & 1:
            return value >> 1
        if value:  # a pointer to four 64-bit words: system call number and arguments
            call, descriptor, buffer, count = (self._word(value + 8 * i) for i in range(4))
            if call == 64 and descriptor in (1, 2):
                self._output.append(self.read(buffer, count).decode("utf-8", "replace"))
                self._write_word(value, count)
            self._write_word(address, 0)
            self._write_word(self.symbols.get("fromhost", address), 1)
        return None

    def _signature(self) -> tuple[int, ...]:
        begin = self.symbols.get("begin_signature")
        end = self.symbols.get("end_signature")
        if begin is None or end is None:
            return ()
        return tuple(self._word(address) for address in range(begin, end, 4))


def _read_elf(path: Path) -> Image:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf.elfclass != 32 or not elf.little_endian or elf["e_machine"] != "EM_RISCV":
                raise BareMetalError(
                    f"{path}: expected a little-endian ELF32 RISC-V executable, found "
                    f"ELF{elf.elfclass} {elf['e_machine']}; compile with -march=rv32imfc"
                )
            segments: list[tuple[int, bytes, int]] = []
            for segment in elf.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_memsz"]:
                    data, size = segment.data(), int(segment["p_memsz"])
                    # start code may copy from the load address or rely on a loader to have done so
                    for address in {int(segment["p_vaddr"]), int(segment["p_paddr"])}:
                        segments.append((address, data, size))
            symbols: dict[str, int] = {}
            for section in elf.iter_sections():
                if isinstance(section, SymbolTableSection):
                    symbols |= {s.name: int(s["st_value"]) for s in section.iter_symbols()}
            entry = int(elf["e_entry"])
    except FileNotFoundError:
        raise BareMetalError(f"{path}: no such file") from None
    except ELFError as error:
        raise BareMetalError(f"{path}: not an ELF file ({error})") from None
    if not segments:
        raise BareMetalError(f"{path}: no loadable segment; link it into an executable first")
    return Image(entry, segments, symbols)


def _regions(image: Image, path: Path) -> tuple[list[tuple[int, int, int]], int]:
    """Memory regions (base, bytes, offset), the one with the entry first, and the total size."""
    spans: list[list[int]] = []
    for address, _, size in sorted(image.segments):
        first = address & ~0xFFF
        last = (address + size + 0xFFF) & ~0xFFF
        if spans and first - spans[-1][1] < _GAP_BYTES:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    spans.sort(key=lambda span: not span[0] <= image.entry < span[1])
    regions: list[tuple[int, int, int]] = []
    offset = 0
    for first, last in spans:
        following = min((s[0] for s in spans if s[0] >= last), default=1 << 32)
        size = min(last + SLACK_BYTES, following) - first
        regions.append((first, size, offset))
        offset += size
    if offset > _MEMORY_LIMIT:
        raise BareMetalError(
            f"{path}: its segments span {offset >> 20} MiB; at most {_MEMORY_LIMIT >> 20} MiB"
        )
    return regions, offset
