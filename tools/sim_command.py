"""What `softex sim` does: one bare-metal program on one core."""

from __future__ import annotations

import sys
from pathlib import Path

from softex_mlir.errors import UserError
from softex_mlir.files import json_text
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.elf_reader import has_note
from softex_mlir.tools.progress import progress_line
from softex_mlir.tools.signals import raised

_MEASURABLE = 10_000_000
"""Instructions from which on decoding the program hardly counts in the speed."""


def run_bare_metal(
    program: Path,
    machine: Machine,
    max_instructions: int = 1_000_000_000,
    signature: Path | None = None,
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
        result = run_elf(program, machine, max_instructions, signature, progress)
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
