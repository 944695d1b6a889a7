"""What `softex sim` does: one bare-metal program on one core."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from softex_mlir.errors import UserError
from softex_mlir.files import json_text, read_bytes
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_settings import scaled
from softex_mlir.runtime.elf_reader import has_note
from softex_mlir.tools.progress import progress_line
from softex_mlir.tools.signals import raised

_MEASURABLE = 10_000_000
"""Instructions from which on decoding the program hardly counts in the speed."""


_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


def memory_of(texts: Sequence[str] | None) -> tuple[tuple[int, int], ...]:
    """Base addresses and bytes from their spelling on a command line."""
    found: list[tuple[int, int]] = []
    for text in texts or ():
        first, _, second = text.partition(":")
        base, size = _number(first), scaled(second) or _number(second)
        if base is None or size is None or not 0 < size <= (1 << 32) - base:
            raise typer.BadParameter(
                f"expected BASE:SIZE within 32 bits, as in 0x80000000:64Ki, found '{text}'",
                param_hint="--memory",
            )
        found.append((base, size))
    return tuple(found)


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16 if text.startswith("0x") else 10)


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

    if program.is_file() and has_note(read_bytes(program)):
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
