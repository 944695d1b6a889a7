"""What a bare-metal program can ask of the host: to write, to end, and little else.

Three doors lead here: ``tohost`` and ``ecall`` with the numbers of Linux (newlib, riscv-tests),
and semihosting (picolibc, newlib's rdimon; RISC-V semihosting specification 1.0): ``ebreak``
between ``slli x0, x0, 31`` and ``srai x0, x0, 7``, the operation in a0, its parameter in a1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from softex_mlir.isa_sim.baremetal.elf import BareMetalError

WRITE, EXIT, BRK = 64, 93, 214
"""System calls, by their numbers on Linux."""

_OPEN, _CLOSE, _WRITEC, _WRITE0, _WRITE, _READ, _ISTTY = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09
_FLEN, _CLOCK, _ERRNO, _CMDLINE, _HEAPINFO, _EXIT = 0x0C, 0x10, 0x13, 0x15, 0x16, 0x18
_EXIT_EXTENDED = 0x20
_APPLICATION_EXIT = 0x20026
_CONSOLE = b":tt"
_FAILED = -1
_STRING_BYTES = 1 << 20
_MOST_OUTPUT = 16 << 20
_CENTISECOND = 100


@dataclass(frozen=True)
class Answer:
    """What a request returns to the program, or the exit code with which it ends."""

    value: int
    ends: bool = False


@dataclass
class Host:
    """Serves requests.

    Attributes:
        read: bytes of the program's memory by address and size; raises outside it.
        write: puts bytes there; raises outside it.
        heap: address behind the program's segments, from which its heap grows.
        heap_end: address behind its memory.
        frequency_hz: clock by which the time of the program counts.
        output: what it wrote so far.
    """

    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], None]
    heap: int
    heap_end: int
    frequency_hz: float
    output: list[str] = field(default_factory=list[str])
    _written: int = 0

    def system_call(self, number: int, first: int, second: int, third: int) -> Answer | None:
        """A call by its number on Linux; None if it is not served."""
        if number == EXIT:
            return Answer(first, ends=True)
        if number == WRITE and first in (1, 2):
            self._print(self.read(second, third))
            return Answer(third)
        if number == BRK:
            if self.heap <= first <= self.heap_end:
                self.heap = first
            return Answer(self.heap)
        return None

    def semihosting(self, operation: int, parameter: int, cycles: int) -> Answer:
        """An operation of semihosting; those that are not served fail with -1."""
        if operation == _EXIT:
            return Answer(int(parameter != _APPLICATION_EXIT), ends=True)
        if operation == _EXIT_EXTENDED:
            reason, code = self._words(parameter, 2)
            return Answer(code if reason == _APPLICATION_EXIT else 1, ends=True)
        return Answer(self._served(operation, parameter, cycles))

    def _served(self, operation: int, parameter: int, cycles: int) -> int:
        if operation == _OPEN:
            name, mode, length = self._words(parameter, 3)
            console = self.read(name, length) == _CONSOLE
            return min(mode // 4, 2) if console else _FAILED
        if operation == _WRITEC:
            self._print(self.read(parameter, 1))
        elif operation == _WRITE0:
            self._print(self._string(parameter))
        elif operation == _WRITE:
            handle, buffer, count = self._words(parameter, 3)
            if handle not in (1, 2):
                return count
            self._print(self.read(buffer, count))
        elif operation == _READ:
            return self._words(parameter, 3)[2]  # the end of the input
        elif operation == _ISTTY:
            return int(self._words(parameter, 1)[0] <= 2)
        elif operation == _CMDLINE:
            buffer, size = self._words(parameter, 2)
            if not size:
                return _FAILED
            self.write(buffer, b"\0")
            self.write(parameter + 4, bytes(4))
        elif operation == _HEAPINFO:
            self.write(self._words(parameter, 1)[0], bytes(16))
        elif operation == _CLOCK:
            return int(cycles * _CENTISECOND / self.frequency_hz)
        elif operation not in (_CLOSE, _FLEN, _ERRNO):
            return _FAILED
        return 0

    def _print(self, data: bytes) -> None:
        self._written += len(data)
        if self._written > _MOST_OUTPUT:
            raise BareMetalError(f"the program writes more than {_MOST_OUTPUT >> 20} MiB")
        self.output.append(data.decode("utf-8", "replace"))

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        data = self.read(address, 4 * count)
        return tuple(int.from_bytes(data[at : at + 4], "little") for at in range(0, 4 * count, 4))

    def _string(self, address: int) -> bytes:
        for size in range(_STRING_BYTES):
            if self.read(address + size, 1) == b"\0":
                return self.read(address, size)
        return b""
