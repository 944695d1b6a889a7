"""Reading a bare-metal ELF32 executable and giving it memory.

A segment is placed at its virtual and, if that is another, its physical address: start code may
copy from there or rely on a loader to have done so. Segments less than :data:`SLACK_BYTES` apart
share a region of memory, which goes on behind them, for stack and heap, for :data:`SLACK_BYTES`;
or there is memory where the caller says. All of it is zero at first, and code can run from all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.files import read_bytes

SLACK_BYTES = 128 << 20
"""Memory behind each group of segments (host memory is only taken when touched)."""
_PAGE = 0xFFF
_MEMORY_LIMIT = 1 << 30
_ADDRESSES = 1 << 32


class BareMetalError(UserError, ValueError):
    """A file that is no bare-metal program for this core."""


@dataclass(frozen=True)
class Segment:
    """A loadable piece of memory: `data`, then zeros up to `memory_bytes`."""

    address: int
    data: bytes
    memory_bytes: int
    executable: bool = True


@dataclass
class Image:
    """A program: where it starts, its segments, its symbols."""

    entry: int
    segments: list[Segment]
    symbols: dict[str, int] = field(default_factory=dict[str, int])


Region = tuple[int, int, int]
"""Base address, bytes, offset in the array of all memory."""


def read_elf(path: Path) -> Image:
    """Segments, entry and symbols of an executable.

    Raises:
        BareMetalError: the file cannot be read or is no such executable.
    """
    import io
    import struct

    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise BareMetalError(f"{path}: no such file") from None
    except OSError as error:
        raise BareMetalError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return _image(ELFFile(io.BytesIO(data)), path, len(data))
    except (
        ELFError,
        ConstructError,
        struct.error,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:  # fmt: skip - what pyelftools lets through for broken tables
        if isinstance(error, BareMetalError):
            raise
        raise BareMetalError(f"{path}: not an ELF file, or a broken one ({error})") from None


def _image(elf: Any, path: Path, file_bytes: int) -> Image:
    from elftools.elf.sections import SymbolTableSection

    if elf.elfclass != 32 or not elf.little_endian or elf["e_machine"] != "EM_RISCV":
        order = "little" if elf.little_endian else "big"
        raise BareMetalError(
            f"{path}: expected a little-endian ELF32 RISC-V executable, found {order}-endian "
            f"ELF{elf.elfclass} {elf['e_machine']}; compile with -march=rv32imfc -mabi=ilp32f"
        )
    if elf["e_type"] != "ET_EXEC":
        raise BareMetalError(
            f"{path}: expected an executable at fixed addresses (ET_EXEC), found "
            f"{elf['e_type']}; link it, with -static and without -pie"
        )
    segments: list[Segment] = []
    for segment in elf.iter_segments():
        if segment["p_type"] != "PT_LOAD" or not segment["p_memsz"]:
            continue
        size = int(segment["p_memsz"])
        start, stored = int(segment["p_offset"]), int(segment["p_filesz"])
        if start + stored > file_bytes or stored > size:
            raise BareMetalError(
                f"{path}: a segment of {stored} bytes at offset {start}, for {size} bytes of "
                f"memory, does not fit the file of {file_bytes} bytes: is it complete?"
            )
        data, executable = segment.data(), bool(segment["p_flags"] & 1)
        for address in sorted({int(segment["p_vaddr"]), int(segment["p_paddr"])}):
            if address + size > _ADDRESSES:
                raise BareMetalError(
                    f"{path}: {size} bytes at 0x{address:08x} exceed the 32-bit address space"
                )
            segments.append(Segment(address, data, size, executable))
    if not segments:
        raise BareMetalError(f"{path}: no loadable segment; link it into an executable first")
    symbols: dict[str, int] = {}
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            symbols |= {s.name: int(s["st_value"]) for s in section.iter_symbols() if _is_place(s)}
        elif section.name == ".tohost":  # in case the symbols are stripped
            symbols.setdefault("tohost", int(section["sh_addr"]))
    return Image(int(elf["e_entry"]), segments, symbols)


def _is_place(symbol: Any) -> bool:
    """Whether a symbol names an address: no file, section or mapping symbol."""
    kind = symbol["st_info"]["type"]
    return kind in ("STT_NOTYPE", "STT_FUNC", "STT_OBJECT") and symbol.name[:1] not in ("", "$")


def plan_memory(image: Image, path: Path, memory: Sequence[tuple[int, int]] = ()) -> list[Region]:
    """Give every segment memory; the region with the entry comes first.

    Args:
        image: the program.
        path: of its file, for error messages.
        memory: base address and bytes of what there is besides the segments; nothing more is added.

    Raises:
        BareMetalError: the segments need more than the host is asked for.
    """
    wanted = [(segment.address, segment.memory_bytes) for segment in image.segments]
    between = 1 if memory else SLACK_BYTES
    spans: list[list[int]] = []  # first, end
    for address, size in sorted([*wanted, *memory]):
        first, end = address & ~_PAGE, (address + size + _PAGE) & ~_PAGE
        if spans and first - spans[-1][1] < between:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([first, end])
    spans.sort(key=lambda span: not span[0] <= image.entry < span[1])
    regions: list[Region] = []
    offset = 0
    for first, end in spans:
        size = min(end + (0 if memory else SLACK_BYTES), _ADDRESSES) - first
        regions.append((first, size, offset))
        offset += size
    if offset > _MEMORY_LIMIT:
        what = "the memory asked for" if memory else "its segments with their stacks"
        raise BareMetalError(
            f"{path}: {what} would be {offset >> 20} MiB; at most {_MEMORY_LIMIT >> 20} MiB"
        )
    return regions
