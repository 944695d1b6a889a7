"""The compiled program: one ELF32 RISC-V executable with a versioned note.

The file is a standard executable (``readelf -a`` and ``objdump -d`` read it); what the ELF
standard has no place for (inputs and outputs, buffers, launches, the machine it was built for) is
JSON in the note ``softex``; the transformer-level IR is text in ``.softex.transformer``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from softex_mlir.abi import FORMAT_VERSION, NOTE_NAME, TRANSFORMER_SECTION, Port
from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.session import Result

EM_RISCV = 243
_MAXIMUM_SEGMENT_BYTES = 1 << 30


@dataclass(frozen=True)
class Segment:
    """A loadable piece of memory.

    `data` holds the bytes from the file; the rest up to `memory_bytes` is zero.
    """

    address: int
    data: bytes
    memory_bytes: int
    executable: bool


@dataclass(frozen=True)
class Program:
    """A program for one machine description, with everything needed to run and explain it."""

    elf: bytes = field(repr=False)
    entry: int
    segments: tuple[Segment, ...] = field(repr=False)
    symbols: Mapping[str, int] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)
    transformer: str | None = field(repr=False, default=None)
    path: Path | None = None

    @staticmethod
    def load(path: str | Path) -> Program:
        """Read a program from a file.

        Raises:
            UserError: the file cannot be read, is no program of this project, or has another
                format version.
        """
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: cannot read the program: {error.strerror}") from error
        return Program.from_bytes(data, path)

    @staticmethod
    def from_bytes(data: bytes, path: Path | None = None) -> Program:
        """Read a program from the bytes of an ELF file.

        Raises:
            UserError: the bytes are no program of this project, or of another format version.
        """
        name = str(path) if path else "<memory>"
        try:
            program = _read(data, name, path)
        except UserError:
            raise
        except Exception as error:  # the ELF library raises many kinds on malformed files
            raise UserError(
                f"{name}: malformed ELF file ({type(error).__name__}: {error})"
            ) from error
        return program

    def save(self, path: str | Path) -> None:
        """Write the ELF file; the file appears whole or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        write_atomically(Path(path), self.elf)

    @property
    def machine(self) -> Machine:
        """The machine description the program was built for."""
        from softex_mlir.isa_sim.machine import Machine

        return Machine.from_toml(self.metadata["machine"]["toml"])

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The model's inputs, in the model's order."""
        return tuple(Port.from_json(entry) for entry in self.metadata["inputs"])

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The model's outputs, in the model's order."""
        return tuple(Port.from_json(entry) for entry in self.metadata["outputs"])

    def run(self, inputs: Any = None, **options: Any) -> Result:
        """Run the program on the simulator; see `softex_mlir.runtime.session.run` for options.

        `inputs` are arrays or torch tensors: by name, in the order of the program's inputs, or the
        only one; without any they are random. Where a tensor came in, the outputs are tensors.
        """
        from softex_mlir.runtime import tensors
        from softex_mlir.runtime.session import run

        # A checker that follows the editable install sees this class under two names.
        program: Any = self
        if inputs is None:
            return run(program, None, **options)
        given = tensors.by_name([port.name for port in self.inputs], inputs)
        from_torch = any(tensors.is_tensor(value) for value in given.values())
        arrays = {n: tensors.to_array(v) if tensors.is_tensor(v) else v for n, v in given.items()}
        result = run(program, arrays, **options)
        if not from_torch:
            return result
        outputs = {name: tensors.to_tensor(array) for name, array in result.outputs.items()}
        return replace(result, outputs=outputs)


def _read(data: bytes, name: str, path: Path | None) -> Program:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    if data[:4] != b"\x7fELF":
        raise UserError(f"{name}: not an ELF file; expected a program written by `softex compile`")
    elf = ELFFile(io.BytesIO(data))
    if elf.elfclass != 32 or elf["e_machine"] not in ("EM_RISCV", EM_RISCV):
        raise UserError(
            f"{name}: expected a 32-bit RISC-V executable, "
            f"found a {elf.elfclass}-bit {elf['e_machine']} file"
        )
    segments: list[Segment] = []
    metadata: dict[str, Any] | None = None
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_NOTE":
            metadata = (
                _metadata(data[segment["p_offset"] :][: segment["p_filesz"]], name) or metadata
            )
        if segment["p_type"] != "PT_LOAD":
            continue
        start, size, memory = segment["p_offset"], segment["p_filesz"], segment["p_memsz"]
        if start + size > len(data) or size > memory or memory > _MAXIMUM_SEGMENT_BYTES:
            raise UserError(f"{name}: truncated or damaged: a segment lies outside the file")
        segments.append(
            Segment(
                segment["p_paddr"], data[start : start + size], memory, bool(segment["p_flags"] & 1)
            )
        )
    if metadata is None:
        raise UserError(
            f"{name}: no `{NOTE_NAME}` note; expected a program written by `softex compile` "
            "(bare-metal programs run with `softex sim`)"
        )
    symbols: dict[str, int] = {}
    transformer = None
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            symbols.update({symbol.name: symbol["st_value"] for symbol in section.iter_symbols()})
        if section.name == TRANSFORMER_SECTION:
            transformer = section.data().decode()
    return Program(
        elf=data,
        entry=elf["e_entry"],
        segments=tuple(segments),
        symbols=symbols,
        metadata=metadata,
        transformer=transformer,
        path=path,
    )


def _metadata(note: bytes, name: str) -> dict[str, Any] | None:
    """The JSON of our note in a PT_NOTE segment, or None if it is somebody else's note."""
    offset = 0
    while offset + 12 <= len(note):
        name_size, size, _ = (
            int.from_bytes(note[offset + i : offset + i + 4], "little") for i in (0, 4, 8)
        )
        start = offset + 12 + (name_size + 3) // 4 * 4
        owner = note[offset + 12 : offset + 12 + name_size].rstrip(b"\0").decode(errors="replace")
        if owner == NOTE_NAME:
            return _checked(note[start : start + size], name)
        offset = start + (size + 3) // 4 * 4
    return None


_REQUIRED = {
    "machine": dict,
    "inputs": list,
    "outputs": list,
    "buffers": list,
    "launches": list,
    "record_words": int,
    "kernels": list,
}


def _checked(text: bytes, name: str) -> dict[str, Any]:
    try:
        metadata: object = json.loads(text)
    except ValueError as error:
        raise UserError(f"{name}: the `{NOTE_NAME}` note is damaged: {error}") from error
    if not isinstance(metadata, dict):
        raise UserError(f"{name}: the `{NOTE_NAME}` note is damaged: expected a JSON object")
    metadata = cast(dict[str, Any], metadata)
    if not isinstance(metadata.get("format"), int):
        raise UserError(f"{name}: the `{NOTE_NAME}` note has no format version")
    if metadata["format"] != FORMAT_VERSION:
        raise UserError(
            f"{name}: program format {metadata['format']}, this version reads {FORMAT_VERSION}; "
            "compile the model again"
        )
    for key, kind in _REQUIRED.items():
        if not isinstance(metadata.get(key), kind):
            raise UserError(
                f"{name}: the `{NOTE_NAME}` note is damaged: "
                f"{key!r} is missing or no {kind.__name__}"
            )
    return metadata
