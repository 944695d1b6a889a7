"""The compiled program: one ELF32 RISC-V executable with a versioned note.

The file is a standard executable (``readelf -a`` and ``objdump -d`` read it); what the ELF
standard has no place for (inputs and outputs, buffers, launches, the machine it was built for) is
JSON in the note ``softex``; the transformer-level IR is text in ``.softex.transformer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.abi import NOTE_NAME, Port
from softex_mlir.errors import UserError
from softex_mlir.files import read_bytes, write_atomically
from softex_mlir.isa_sim.baremetal.elf import Segment
from softex_mlir.note import NoteError, decode
from softex_mlir.runtime.elf_reader import read_elf

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.generation import Generation
    from softex_mlir.runtime.session import Result


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
    entry_name: str | None = None
    """Which of several entries `entry` is, and inputs, outputs and launches are about; None of a
    program with only one."""

    @staticmethod
    def load(path: str | Path) -> Program:
        """Read a program from a file.

        Raises:
            UserError: the file cannot be read, is no program of this project, or has another
                format version.
        """
        path = Path(path)
        try:
            data = read_bytes(path)
        except OSError as error:
            raise UserError(f"{path}: cannot read the program: {error.strerror}") from error
        return Program.from_bytes(data, path)

    @staticmethod
    def from_bytes(data: bytes, path: Path | None = None) -> Program:
        """Read a program from the bytes of an ELF file.

        Raises:
            UserError: the bytes are no program of this project, or of another format version.
        """
        from softex_mlir.runtime.validation import check, machine_of

        name = str(path) if path else "<memory>"
        elf = read_elf(data, name)
        if elf.note is None:
            raise UserError(
                f"{name}: no `{NOTE_NAME}` note; expected a program written by `softex compile` "
                "(bare-metal programs run with `softex sim`)"
            )
        try:
            note = decode(elf.note)
            check(note, machine_of(note), elf.segments, elf.entry)
        except (NoteError, UserError) as error:
            raise UserError(f"{name}: {error}") from error
        program = Program(
            elf=data,
            entry=elf.entry,
            segments=elf.segments,
            symbols=elf.symbols,
            metadata=note.as_dict(),
            transformer=elf.transformer,
            path=path,
        )
        return program.at(program.entries[0]) if program.entries else program

    def save(self, path: str | Path) -> None:
        """Write the ELF file; the file appears whole or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        write_atomically(Path(path), self.elf)

    def _repr_html_(self) -> str:
        """What the cost model expects of the program, for notebooks."""
        from softex_mlir.runtime.costs.estimate import estimate
        from softex_mlir.runtime.report.notebook import profile_html

        title = f"{self.metadata.get('model', 'program')} on {self.machine.name}, estimated"
        return profile_html(estimate(self.metadata, self.machine), title)

    @cached_property
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

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the entries of a program with several, such as prefill and decode."""
        return tuple(entry["name"] for entry in self.metadata.get("entries", ()))

    @property
    def states(self) -> tuple[Port, ...]:
        """What keeps its contents in L2 from one run of an entry to the next."""
        return tuple(Port.from_json(entry) for entry in self.metadata.get("states", ()))

    def at(self, entry: str | None) -> Program:
        """The same program about to run one of its entries.

        Raises:
            UserError: there is no such entry, or there are several and none was named.
        """
        names = ", ".join(self.entries) or "none: leave it out"
        if entry not in (self.entries or (None,)):
            found = "none" if entry is None else f"'{entry}'"
            raise UserError(f"expected one of the program's entries ({names}), found {found}")
        for found in self.metadata.get("entries", ()):
            if found["name"] == entry:
                metadata = {**self.metadata, **found}
                return replace(self, entry=found["start"], metadata=metadata, entry_name=entry)
        return self

    def generate(self, prompts: Any, max_new_tokens: int = 32, **options: Any) -> Generation:
        """Continue prompts; see `softex_mlir.runtime.generation.generate`."""
        from softex_mlir.runtime.generation import generate

        # A checker that follows the editable install sees this class under two names.
        program: Any = self
        return generate(program, prompts, max_new_tokens, **options)

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
