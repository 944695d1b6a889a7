"""ELF32 RISC-V executables: segments, symbols, a note. Pure data in, bytes out."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

EM_RISCV = 243
EF_RISCV_FLOAT_ABI_SINGLE = 2
ELF_HEADER_BYTES = 52
PROGRAM_HEADER_BYTES = 32
SECTION_HEADER_BYTES = 40

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_NOBITS = 1, 2, 3, 7, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
PT_LOAD, PT_NOTE = 1, 4
PF_X, PF_W, PF_R = 1, 2, 4
STT_NOTYPE, STT_OBJECT, STT_FUNC = 0, 1, 2
ALIGNMENT = 64


@dataclass(frozen=True)
class Section:
    """
    A piece of the file.

    With an `address` it is loaded there; `memory_bytes` beyond the data are zero, and a section
    without data takes no room in the file.
    """

    name: str
    data: Sequence[bytes | memoryview]
    """Contents, in pieces that are not joined in memory."""
    address: int | None = None
    memory_bytes: int = 0
    executable: bool = False
    writable: bool = False
    is_note: bool = False

    @property
    def file_bytes(self) -> int:
        """Bytes in the file."""
        return sum(len(piece) for piece in self.data)


@dataclass(frozen=True)
class ElfSymbol:
    """A name for an address."""

    name: str
    address: int
    size: int
    section: str
    is_function: bool


def note(owner: str, kind: int, contents: bytes) -> bytes:
    """One entry of a note section."""
    name = owner.encode() + b"\0"
    return (
        struct.pack("<III", len(name), len(contents), kind)
        + name
        + bytes(-len(name) % 4)
        + contents
        + bytes(-len(contents) % 4)
    )


class StringTable:
    """Names, one after the other, each found by its offset."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self.offsets = {"": 0}

    def add(self, name: str) -> int:
        """Offset of a name."""
        offset = self.offsets.get(name)
        if offset is None:
            offset = self.offsets[name] = len(self.data)
            self.data += name.encode() + b"\0"
        return offset


def write_elf(entry: int, sections: Sequence[Section], symbols: Sequence[ElfSymbol]) -> bytes:
    """The bytes of an executable that starts at `entry`."""
    index = {section.name: i + 1 for i, section in enumerate(sections)}
    names = StringTable()
    # Local symbols come first: the header says how many there are.
    table = [bytes(16)]
    symbol_names = StringTable()
    for symbol in symbols:
        kind = STT_FUNC if symbol.is_function else STT_OBJECT
        table.append(
            struct.pack(
                "<IIIBBH",
                symbol_names.add(symbol.name),
                symbol.address,
                symbol.size,
                1 << 4 | kind,
                0,
                index[symbol.section],
            )
        )
    tables = [
        (".symtab", SHT_SYMTAB, b"".join(table)),
        (".strtab", SHT_STRTAB, bytes(symbol_names.data)),
    ]
    loaded = [s for s in sections if s.address is not None or s.is_note]
    offset = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES * len(loaded)
    pieces: list[bytes | memoryview] = []
    position = offset

    def put(data: Sequence[bytes | memoryview]) -> int:
        """Append to the file at an aligned place."""
        nonlocal position
        padding = -position % ALIGNMENT
        pieces.append(bytes(padding))
        place = position + padding
        pieces.extend(data)
        position = place + sum(len(piece) for piece in data)
        return place

    headers: list[bytes] = [bytes(SECTION_HEADER_BYTES)]
    segments: list[bytes] = []
    for section in sections:
        place = put(section.data)
        nobits = section.address is not None and not section.file_bytes
        kind = SHT_NOTE if section.is_note else SHT_NOBITS if nobits else SHT_PROGBITS
        flags = 0
        if section.address is not None:
            flags = SHF_ALLOC | SHF_WRITE * section.writable | SHF_EXECINSTR * section.executable
        size = section.memory_bytes if nobits else section.file_bytes
        headers.append(
            struct.pack(
                "<10I",
                names.add(section.name),
                kind,
                flags,
                section.address or 0,
                place,
                size,
                0,
                0,
                4 if section.is_note else ALIGNMENT if section.address is not None else 1,
                0,
            )
        )
        if section.address is not None or section.is_note:
            address = section.address or 0
            access = PF_R | PF_W * section.writable | PF_X * section.executable
            segments.append(
                struct.pack(
                    "<8I",
                    PT_NOTE if section.is_note else PT_LOAD,
                    place,
                    address,
                    address,
                    section.file_bytes,
                    0 if section.is_note else max(section.memory_bytes, section.file_bytes),
                    access,
                    4 if section.is_note else ALIGNMENT,
                )
            )
    for name, kind, data in tables:
        place = put([data])
        is_symbols = kind == SHT_SYMTAB
        headers.append(
            struct.pack(
                "<10I",
                names.add(name),
                kind,
                0,
                0,
                place,
                len(data),
                len(sections) + 2 if is_symbols else 0,
                1 if is_symbols else 0,
                4 if is_symbols else 1,
                16 if is_symbols else 0,
            )
        )
    name = names.add(".shstrtab")
    place = put([bytes(names.data)])
    headers.append(struct.pack("<10I", name, SHT_STRTAB, 0, 0, place, len(names.data), 0, 0, 1, 0))
    section_headers = put([b"".join(headers)])
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01" + bytes(9),
        2,
        EM_RISCV,
        1,
        entry,
        ELF_HEADER_BYTES,
        section_headers,
        EF_RISCV_FLOAT_ABI_SINGLE,
        ELF_HEADER_BYTES,
        PROGRAM_HEADER_BYTES,
        len(segments),
        SECTION_HEADER_BYTES,
        len(headers),
        len(headers) - 1,
    )
    return b"".join([header, *segments, *pieces])
