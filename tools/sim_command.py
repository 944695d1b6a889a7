"""What `softex sim` does: one bare-metal program on one core."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from softex_mlir.errors import UserError
from softex_mlir.files import json_text
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.elf_reader import has_note
from softex_mlir.tools.progress import progress_line
from softex_mlir.tools.signals import raised

_MEASURABLE = 10_000_000
"""Instructions from which on decoding the program hardly counts in the speed."""


_MEMORY = re.compile(r"(0x[0-9a-fA-F]+|\d+):(0x[0-9a-fA-F]+|\d+)(Ki|Mi|)")
_SCALES = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20}


def memory_of(texts: Sequence[str] | None) -> tuple[tuple[int, int], ...]:
    """Base addresses and bytes from their spelling on a command line."""
    found: list[tuple[int, int]] = []
    for text in texts or ():
        match = _MEMORY.fullmatch(text)
        base, size = (0, 0) if match is None else (int(match[1], 0), int(match[2], 0))
        size *= _SCALES[match[3]] if match else 0
        if not 0 < size <= (1 << 32) - base:
            raise typer.BadParameter(
                f"expected BASE:SIZE within 32 bits, as in 0x80000000:64Ki, found '{text}'",
                param_hint="--memory",
            )
        found.append((base, size))
    return tuple(found)


def run_bare_metal(
    program: Path,
    machine: Machine,
    max_instructions: int = 1_000_000_000,
    signature: Path | None = None,
    memory: Sequence[tuple[int, int]] = (),
    *,
    as_json: bool,
) -> int:
    """Run an ELF32 program; exit status 0 if it reports success, 130 if interrupted, else 1."""
    from softex_mlir.isa_sim.baremetal.run import run_elf

    if program.is_file() and has_note(program.read_bytes()):
        raise UserError(
            f"{program}: written by `softex compile`, for the whole cluster: use `softex run`"
        )
    with raised(), progress_line("instructions", quiet=as_json) as progress:
        result = run_elf(program, machine, max_instructions, signature, progress, memory)
    sys.stderr.write(result.output)
    if as_json:
        data = {
            "exit_code": result.exit_code,
            "reason": result.reason,
            "cycles": result.cycles,
            "instructions": result.instructions,
            "pc": result.pc,
            "seconds": result.seconds,
        }
        sys.stdout.write(json_text(data))
    else:
        speed = ""
        if result.instructions > _MEASURABLE:
            speed = f" ({result.mips:.1f} million instructions a second)"
        sys.stdout.write(
            f"{program}: {result.reason}: {result.instructions:,} instructions, "
            f"{result.cycles:,} cycles{speed}\n"
        )
    if result.interrupted:
        return 130
    return 0 if result.exit_code == 0 else 1
