"""Whether a divided model has the bits of the one cluster's program: every shard simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects.builtin import i32

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.mesh.division import Division, MeshPhase
from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.compiler.mesh.shard import shard
from softex_mlir.dialects.transformer import AnyTensor
from softex_mlir.runtime.dtypes import DTYPES


@dataclass(frozen=True)
class MeshCheck:
    """A divided model compared with the one cluster's program.

    Attributes:
        programs: how many were simulated.
        elements: of all outputs.
        different: of them, those whose bits differ.
    """

    programs: int
    elements: int
    different: int

    @property
    def identical(self) -> bool:
        """Whether no bit differs."""
        return not self.different


def compare(
    compilation: Compilation,
    division: Division,
    phases: tuple[MeshPhase, ...],
    noc: Noc,
    seed: int = 0,
) -> MeshCheck:
    """Simulate the programs of all clusters, phase by phase, and compare all bits of all outputs.

    Inputs are random. Between phases the parts lie in arrays, which stand for the shared L2.
    """
    expected = compilation.program().run(seed=seed)
    found, programs = evaluate(division, phases, noc, expected.inputs)
    names = {value: division.steps.names[value] for value in division.steps.results}
    elements = different = 0
    for value, port in zip(division.steps.results, division.steps.model.outputs, strict=True):
        mine, reference = found[names[value]], expected.outputs[port.name]
        elements += reference.size
        bits = f"u{reference.itemsize}"
        different += int((mine.reshape(-1).view(bits) != reference.reshape(-1).view(bits)).sum())
    return MeshCheck(programs, elements, different)


def evaluate(
    division: Division,
    phases: tuple[MeshPhase, ...],
    noc: Noc,
    inputs: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], int]:
    """All values that cross phases, by name, and how many programs were simulated."""
    machine = noc.cluster(division.steps.machine)
    whole = {name: value for value, name in division.steps.names.items()}
    known = dict(inputs)
    programs = 0
    for phase in phases:
        made: dict[str, np.ndarray] = {}
        for cell in phase.grid.cells:
            if not division.parts(phase, cell):
                continue
            part = shard(division, phase, cell)
            program = part.compilation(machine).program()
            run = program.run({port.name: known[port.name] for port in program.inputs})
            programs += 1
            for name, box in part.parts.items():
                if name not in made:
                    kind = cast(AnyTensor, whole[name].type)
                    dtype = DTYPES["i32" if kind.get_element_type() == i32 else "bf16"]
                    made[name] = np.zeros(kind.get_shape(), dtype)
                made[name][np.ix_(*box)] = run.outputs[name]
        known.update(made)
    return known, programs
