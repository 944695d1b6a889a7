"""What `softex sim` does: one bare-metal program on one core."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.progress import progress_line

DEFAULT_INSTRUCTIONS = 1_000_000_000


def run_bare_metal(
    program: Path,
    machine: Machine,
    max_instructions: int | None,
    signature: Path | None,
    *,
    as_json: bool,
) -> int:
    """Run an ELF32 program; exit status 0 if it reports success, else 1."""
    from softex_mlir.isa_sim.baremetal import run_elf

    with progress_line("instructions", quiet=as_json) as progress:
        result = run_elf(
            program, machine, max_instructions or DEFAULT_INSTRUCTIONS, signature, progress
        )
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
        sys.stdout.write(json.dumps(data, indent=1) + "\n")
    else:
        sys.stdout.write(
            f"{program}: {result.reason}: {result.instructions:,} instructions, "
            f"{result.cycles:,} cycles ({result.mips:.1f} million instructions a second)\n"
        )
    return 0 if result.exit_code == 0 else 1
