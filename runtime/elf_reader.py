"""Reading the ELF file of a program: segments, symbols, the note, the transformer-level text.

pyelftools takes the headers apart. It trusts them: counts, sizes and offsets are compared with the
file before anything is read or counted with them.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Literal

from softex_mlir.abi import NOTE_NAME, TRANSFORMER_SECTION
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.baremetal.elf import Segment

_SEGMENT_HEADER_BYTES = 32
_SECTION_HEADER_BYTES = 40
_SYMBOL_BYTES = 16
_LONGEST_SYMBOL = 1 << 12


@dataclass(frozen=True)
class ElfContents:
    """What a program's file holds; `note` and `transformer` are None where it has none."""

    entry: int
    segments: tuple[Segment, ...]
    symbols: dict[str, int]
    note: bytes | None
    transformer: str | None

    def bytes_at(self, address: int, size: int) -> bytes | None:
        """What the file has loaded to an address; None if that is not in it."""
        return bytes_at(self.segments, address, size)


def bytes_at(segments: Iterable[Segment], address: int, size: int) -> bytes | None:
    """What segments hold at an address; None if that lies outside of them."""
    for segment in segments:
        offset = address - segment.address
        if offset >= 0 and offset + size <= len(segment.data):
            return bytes(memoryview(segment.data)[offset : offset + size])
    return None


def read_elf(data: bytes, name: str) -> ElfContents:
    """Take an ELF file apart.

    Raises:
        UserError: it is no 32-bit RISC-V executable, or damaged; the text begins with `name`.
    """
    with _errors(name):
        elf = _opened(data)
        headers = _headers(data, elf)
        segments, note = _segments(data, headers), _note(data, headers)
        symbols, transformer = _sections(data, elf)
    return ElfContents(elf["e_entry"], segments, symbols, note, transformer)


def is_bare_metal(data: bytes | mmap) -> bool:
    """Whether a file is a RISC-V executable that `softex compile` did not write."""
    return _note_of(data) is None


def has_note(data: bytes) -> bool:
    """Whether a file is an executable that `softex compile` wrote."""
    return isinstance(_note_of(data), bytes)


def _note_of(data: Any) -> bytes | Literal[False] | None:
    """The note, None where an executable has none; False if it is no executable."""
    try:
        with _errors(""):
            return _note(data, _headers(data, _opened(data)))
    except UserError:
        return False


@contextmanager
def _errors(name: str) -> Generator[None]:
    """Let all errors name the file; the ELF library raises many kinds on malformed ones."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except Exception as error:
        raise UserError(f"{name}: malformed ELF file ({type(error).__name__}: {error})") from error


def _opened(data: Any) -> Any:
    from elftools.elf.elffile import ELFFile

    if data[:4] != b"\x7fELF":
        raise UserError("not an ELF file; expected a program written by `softex compile`")
    elf: Any = ELFFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    machine = elf["e_machine"]
    if elf.elfclass != 32 or not elf.little_endian or machine != "EM_RISCV":
        order = "little" if elf.little_endian else "big"
        raise UserError(
            "expected a little-endian 32-bit RISC-V executable, "
            f"found a {order}-endian {elf.elfclass}-bit {machine} file"
        )
    _check_table(data, elf["e_phoff"], elf["e_phnum"], elf["e_phentsize"], _SEGMENT_HEADER_BYTES)
    _check_table(data, elf["e_shoff"], elf["e_shnum"], elf["e_shentsize"], _SECTION_HEADER_BYTES)
    return elf


def _headers(data: bytes, elf: Any) -> list[Any]:
    """What is loaded, and the notes: headers of segments that lie in the file."""
    headers = [s for s in elf.iter_segments() if s["p_type"] in ("PT_NOTE", "PT_LOAD")]
    for header in headers:
        size = header["p_filesz"]
        too_long = header["p_type"] == "PT_LOAD" and size > header["p_memsz"]
        if header["p_offset"] + size > len(data) or too_long:
            raise UserError("truncated or damaged: a segment lies outside the file")
    return headers


def _contents(data: bytes, header: Any) -> bytes:
    return data[header["p_offset"] : header["p_offset"] + header["p_filesz"]]


def _segments(data: bytes, headers: list[Any]) -> tuple[Segment, ...]:
    """What is loaded."""
    return tuple(
        Segment(
            header["p_paddr"],
            _contents(data, header),
            header["p_memsz"],
            bool(header["p_flags"] & 1),
        )
        for header in headers
        if header["p_type"] == "PT_LOAD"
    )


def _note(data: bytes, headers: list[Any]) -> bytes | None:
    """Our note: the first one of the last segment that has any."""
    note = None
    for header in headers:
        if header["p_type"] == "PT_NOTE":
            note = next(_notes(_contents(data, header)), note)
    return note


def _sections(data: bytes, elf: Any) -> tuple[dict[str, int], str | None]:
    """Symbols, and the embedded text."""
    symbols: dict[str, int] = {}
    transformer = None
    for section in elf.iter_sections() if elf["e_shnum"] else ():
        if section["sh_type"] == "SHT_SYMTAB":
            symbols |= _symbols(data, elf, section)
        elif section.name == TRANSFORMER_SECTION:
            transformer = _section_bytes(data, section).decode()
    return symbols, transformer


def _check_table(data: bytes, offset: int, count: int, size: int, expected: int) -> None:
    if count and (size != expected or offset + count * size > len(data)):
        raise UserError("truncated or damaged: a table of headers lies outside the file")


def _section_bytes(data: bytes, section: Any) -> bytes:
    start, size = section["sh_offset"], section["sh_size"]
    if section["sh_type"] == "SHT_NOBITS" or start + size > len(data):
        raise UserError(f"truncated or damaged: section {section.name!r} lies outside the file")
    return data[start : start + size]


def _symbols(data: bytes, elf: Any, section: Any) -> dict[str, int]:
    if section["sh_entsize"] != _SYMBOL_BYTES or not 0 < section["sh_link"] < elf["e_shnum"]:
        raise UserError("damaged: the symbol table has no symbols of 16 bytes, or no strings")
    _section_bytes(data, section)
    strings = _section_bytes(data, elf.get_section(section["sh_link"]))
    if strings[-1:] != b"\0" or max(map(len, strings.split(b"\0"))) > _LONGEST_SYMBOL:
        raise UserError(f"damaged: a symbol's name is longer than {_LONGEST_SYMBOL} bytes")
    return {symbol.name: symbol["st_value"] for symbol in section.iter_symbols()}


def _notes(notes: bytes) -> Iterator[bytes]:
    """Contents of our notes in a PT_NOTE segment."""
    offset = 0
    while offset + 12 <= len(notes):
        name_size, size, _ = (
            int.from_bytes(notes[offset + i : offset + i + 4], "little") for i in (0, 4, 8)
        )
        start = offset + 12 + (name_size + 3) // 4 * 4
        if notes[offset + 12 : offset + 12 + name_size].rstrip(b"\0") == NOTE_NAME.encode():
            yield notes[start : start + size]
        offset = start + (size + 3) // 4 * 4
