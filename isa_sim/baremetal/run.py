"""Running bare-metal ELF32 programs on one core: conformance suites, benchmarks, small tests.

Any executable of a RISC-V toolchain will do, linked anywhere (see :mod:`.elf`). A program
ends by

- a write to ``tohost`` (1: passed; ``n << 1 | 1``: exit code n, in riscv-tests the failed test);
- ``ecall`` with a7 = 93 and the exit code in a0, or ``ebreak``, while no trap handler is installed;
- an exit by semihosting (see :mod:`.host`);
- a jump to itself, or ``wfi`` with all interrupts disabled: the exit code is a0.

A program that has ``tohost`` passes by writing it only; the other ways then end it without success.

The core is in machine mode throughout (the previous mode in mstatus stays machine mode, as on any
core without user mode), has no interrupts, does misaligned accesses, and starts with floating
point on. Memory takes one cycle; an access outside it is an access fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softex_mlir.arithmetic import signed32
from softex_mlir.files import write_atomically
from softex_mlir.isa_sim.baremetal.elf import BareMetalError, Image, plan_memory, read_elf
from softex_mlir.isa_sim.baremetal.host import Answer, Host
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.machine import Machine

SLICE_INSTRUCTIONS = 10_000_000
"""Instructions between progress reports and chances to interrupt."""
_FUNCTION_BYTES = 1 << 16
"""A symbol farther before an address than this says nothing about it."""
_SIGNATURE_BYTES = 16 << 20


@dataclass
class BareMetalResult:
    """How a program ended. ``exit_code`` 0 is success, None means it did not end by itself.

    ``reason`` says how it ended in words; ``seconds`` is host time; ``output`` what the program
    wrote through the host interface; ``signature`` the words between ``begin_signature`` and
    ``end_signature``; ``registers`` x0..x31 at the end; ``interrupted`` whether the user did.
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
    interrupted: bool = False

    @property
    def mips(self) -> float:
        """Simulated instructions per host second, in millions."""
        return self.instructions / max(self.seconds, 1e-9) / 1e6


def run_elf(
    path: str | Path,
    machine: Machine | None = None,
    max_instructions: int = 1_000_000_000,
    signature: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    memory: Sequence[tuple[int, int]] = (),
) -> BareMetalResult:
    """Load and run an ELF32 file.

    ``signature`` names a file for the signature in the riscv-arch-test convention: one 32-bit
    word a line, eight lower-case hexadecimal digits; it is written however the program ended.
    ``memory`` lists base address and bytes of all memory besides the segments; default: some behind
    each of them. ``progress`` is called with the instructions executed after every
    :data:`SLICE_INSTRUCTIONS`.
    """
    hart = BareMetal(path, machine, memory=memory)
    if signature is not None and hart.signature_range() is None:
        raise BareMetalError(
            f"{path}: a signature was asked for, but the file has no symbols begin_signature and "
            f"end_signature around 4 bytes to {_SIGNATURE_BYTES >> 20} MiB of its memory"
        )
    result = hart.run(max_instructions, progress)
    if signature is not None:
        lines = "".join(f"{word:08x}\n" for word in result.signature)
        write_atomically(Path(signature), lines)
    return result


class BareMetal:
    """One core with the memory of one program."""

    def __init__(
        self,
        path: str | Path,
        machine: Machine | None = None,
        image: Image | None = None,
        memory: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Load the ELF file, or ``image`` if one is given (``path`` then only names it)."""
        from softex_mlir.isa_sim.core.decode import DecodedCode

        self.path = Path(path)
        image = image or read_elf(self.path)
        self.symbols = image.symbols
        regions = plan_memory(image, self.path, memory)
        size = sum(region[1] for region in regions)
        try:
            self.memory: NDArray[np.uint8] = np.zeros(size, np.uint8)
            self.program = DecodedCode.create(regions, 0, size)
        except MemoryError:
            raise BareMetalError(
                f"{path}: this host has no room for {size >> 20} MiB of memory and its decoded "
                "code: less would do with --memory BASE:SIZE"
            ) from None
        for segment in image.segments:
            offset = self.program.offset(segment.address)
            assert offset is not None
            data = np.frombuffer(segment.data, np.uint8)
            self.memory[offset : offset + len(data)] = data
        self.tcdm: NDArray[np.uint8] = np.zeros(4, np.uint8)
        machine = machine or Machine.load()
        self.state = st.make_state(machine, 1)
        config = self.state.config
        config[st.TCDM_BYTES] = 0
        config[st.L2_BASE], config[st.L2_BYTES], _ = regions[0]
        config[st.L2_LATENCY] = 1
        config[st.MACHINE_MODE] = 1
        config[st.REFILL] = 0
        config[st.HOST_ADDRESS] = self.symbols.get("tohost", -1)
        self.state.s[0, st.PC] = image.entry & ~1
        base, room, _ = regions[0]
        heap = max(
            segment.address + segment.memory_bytes
            for segment in image.segments
            if base <= segment.address < base + room
        )
        clock = machine.operating_points[0].frequency_hz
        self._host = Host(self.read, self._write, heap, base + room, clock)

    def run(
        self,
        max_instructions: int = 1_000_000_000,
        progress: Callable[[int], None] | None = None,
    ) -> BareMetalResult:
        """Run to the end of the program or ``max_instructions``."""
        from softex_mlir.isa_sim.core.interpreter import run_core

        row = self.state.s[0]
        # compiles the interpreter if it is not cached, so that `seconds` is simulation only
        run_core(self.state, self.program, self.tcdm, self.memory, None, 0, -1)
        began = time.perf_counter()
        ended: tuple[int | None, str] | None = None
        interrupted = False
        try:
            while ended is None:
                executed = int(row[st.INSTRUCTIONS])
                row[st.INSTRUCTION_LIMIT] = min(max_instructions, executed + SLICE_INSTRUCTIONS)
                status = run_core(
                    self.state, self.program, self.tcdm, self.memory, None, 0, 1 << 62
                )
                ended = self._serve(status, max_instructions, progress)
        except BareMetalError as error:
            ended = None, f"{error}, at {self._place(int(row[st.PC]))}"
        except KeyboardInterrupt:
            ended = None, f"interrupted at {self._place(int(row[st.PC]))}"
            interrupted = True
        seconds = time.perf_counter() - began
        exit_code, reason = ended
        return BareMetalResult(
            exit_code=exit_code,
            reason=reason,
            cycles=int(row[st.CYCLE]),
            instructions=int(row[st.INSTRUCTIONS]),
            seconds=seconds,
            pc=int(row[st.PC]),
            registers=tuple(int(v) & 0xFFFFFFFF for v in self.state.x[0, :32]),
            output="".join(self._host.output),
            signature=self._signature(),
            symbols=self.symbols,
            interrupted=interrupted,
        )

    def _serve(
        self, status: int, max_instructions: int, progress: Callable[[int], None] | None
    ) -> tuple[int | None, str] | None:
        """Do what the core stopped for; exit code and reason if the program has ended."""
        row = self.state.s[0]
        pc = int(row[st.PC])
        if status == st.LIMIT:
            if progress is not None:
                progress(int(row[st.INSTRUCTIONS]))
            if row[st.INSTRUCTIONS] < max_instructions:
                return None
            return None, (
                f"still running after {max_instructions:,} instructions, at {self._place(pc)}"
            )
        if status == st.DECODE and self.program.decode_at(pc, self.memory):
            return None
        if status == st.HOST:
            ended = self._host_request()
        elif status == st.STOPPED and row[st.FAULT_CODE] == st.STOP_SEMIHOST:
            ended = self._semihosting()
        elif status == st.STOPPED and row[st.FAULT_CODE] == st.STOP_ECALL:
            ended = self._environment_call()
        else:
            ended = self._stop(status)
        if ended is None or ended[0] == 0 or not row[st.TRAPS]:
            return ended
        return ended[0], ended[1] + self._last_trap()

    def _place(self, pc: int) -> str:
        """An instruction address in words: the function around it and the instruction."""
        from softex_mlir.isa_sim.isa.encoding import disassemble

        name = ""
        value, symbol = max(((v, n) for n, v in self.symbols.items() if v <= pc), default=(0, ""))
        if symbol and pc - value < _FUNCTION_BYTES:
            name = f" ({symbol}+{pc - value:#x})" if pc > value else f" ({symbol})"
        offset = self.program.offset(pc)
        if offset is None:
            return f"0x{pc:08x}{name}"
        word = int.from_bytes(self.memory[offset : offset + 4].tobytes(), "little")
        return f"0x{pc:08x}{name}: {disassemble(word if word & 3 == 3 else word & 0xFFFF, pc)}"

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's memory; a UserError outside it."""
        offset = self.program.offset(address)
        if offset is None or (
            size and self.program.offset(address + size - 1) != offset + size - 1
        ):
            raise BareMetalError(
                f"{size} bytes at 0x{address:08x} are outside the program's memory"
            )
        return self.memory[offset : offset + size].tobytes()

    def _write(self, address: int, data: bytes) -> None:
        self.read(address, len(data))
        offset = self.program.offset(address)
        assert offset is not None
        self.memory[offset : offset + len(data)] = np.frombuffer(data, np.uint8)

    def _word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def _write_word(self, address: int, value: int) -> None:
        self._write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def _last_trap(self) -> str:
        """The last trap that the program took, in words, unless it was an environment call."""
        row = self.state.s[0]
        cause = int(row[st.TRAP_CAUSE])
        if not cause:
            return ""
        return (
            f"; its last trap: {st.FAULT_TEXT.get(cause, f'cause {cause}')} at "
            f"{self._place(int(row[st.TRAP_PC]))}, value 0x{int(row[st.TRAP_VALUE]):08x}"
        )

    def _stop(self, status: int) -> tuple[int | None, str]:
        """Exit code and reason of a program that stopped without writing tohost."""
        row = self.state.s[0]
        code, pc = int(row[st.FAULT_CODE]), int(row[st.FAULT_PC])
        registers = self.state.x[0]
        text = st.FAULT_TEXT.get(code, f"code {code}")
        if status == st.STOPPED and code == st.STOP_ECALL:
            text = f"environment call {int(registers[17]) & 0xFFFFFFFF}"
        elif status == st.STOPPED and "tohost" in self.symbols:
            return None, f"{text} at {self._place(pc)}, without a write to tohost"
        elif status == st.STOPPED:
            return int(registers[10]), f"{text} at {self._place(pc)}"
        handler = int(row[st.MTVEC]) & ~3
        why = "without a trap handler" if handler != pc or not handler else "in the trap handler"
        return None, (
            f"{text} {why} at {self._place(pc)}, value 0x{int(row[st.FAULT_ADDRESS]):08x}"
        )

    def _host_request(self) -> tuple[int | None, str] | None:
        """Serve a write to ``tohost``; exit code and reason if it ends the program."""
        address = self.symbols["tohost"]
        value = self._word(address)
        if value & 1:
            code = value >> 1
            return code, f"failed: tohost reports {code}" if code else "passed"
        # an even value points to four 64-bit words: system call number and arguments
        if self.program.offset(value) is None:
            return None, (
                f"tohost holds 0x{value:08x}, neither an exit code (odd) nor the address of a "
                "system call"
            )
        call, first, buffer, count = (self._word(value + 8 * i) for i in range(4))
        answer = self._host.system_call(call, first, buffer, count)
        if answer is not None and answer.ends:
            return _end(answer)
        if answer is not None:
            self._write_word(value, answer.value)
        self._write_word(address, 0)
        if "fromhost" in self.symbols:
            self._write_word(self.symbols["fromhost"], 1)
        return None

    def _environment_call(self) -> tuple[int | None, str] | None:
        """Serve an ecall without a trap handler; exit code and reason if it ends the program."""
        row, registers = self.state.s[0], self.state.x[0]
        number, *arguments = (int(registers[r]) & 0xFFFFFFFF for r in (17, 10, 11, 12))
        answer = self._host.system_call(number, *arguments)
        if answer is None:
            return self._stop(st.STOPPED)
        if answer.ends:
            return _end(answer)
        registers[10] = signed32(answer.value)
        row[st.PC] += 4
        row[st.INSTRUCTIONS] += 1
        row[st.CYCLE] += 1
        return None

    def _semihosting(self) -> tuple[int | None, str] | None:
        """Serve a request by semihosting; exit code and reason if it ends the program."""
        row, registers = self.state.s[0], self.state.x[0]
        operation, parameter = (int(registers[r]) & 0xFFFFFFFF for r in (10, 11))
        answer = self._host.semihosting(operation, parameter, int(row[st.CYCLE]))
        if answer.ends:
            return _end(answer)
        registers[10] = signed32(answer.value)
        return None

    def signature_range(self) -> tuple[int, int] | None:
        """Address and bytes of the signature; None without symbols around part of the memory."""
        begin = self.symbols.get("begin_signature")
        end = self.symbols.get("end_signature")
        if begin is None or end is None or not 4 <= end - begin <= _SIGNATURE_BYTES:
            return None
        offset = self.program.offset(begin)
        if offset is None or offset + end - begin > self.memory.size:
            return None
        return begin, end - begin & ~3

    def _signature(self) -> tuple[int, ...]:
        span = self.signature_range()
        return tuple(np.frombuffer(self.read(*span), "<u4").tolist()) if span else ()


def _end(answer: Answer) -> tuple[int, str]:
    code = signed32(answer.value)
    return code, f"exit code {code}" if code else "passed"
