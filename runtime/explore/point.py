"""One point of a sweep: a model on a machine, estimated or simulated."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.origin import digest
from softex_mlir.errors import UserError
from softex_mlir.files import code_hash
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_basis import unrecorded
from softex_mlir.runtime.costs.estimate import estimate
from softex_mlir.runtime.costs.verdict import verdict
from softex_mlir.runtime.explore.space import Settings


@dataclass(frozen=True)
class Point:
    """A model on a machine: that of a target with settings."""

    model: str
    target: str
    settings: Settings
    simulated: bool = False

    @property
    def key(self) -> str:
        """Hash of what the figures depend on: machine, model, code, and how they are got.

        Raises:
            UserError: there is no such machine.
        """
        machine = Machine.load(self.target).with_settings(self.settings)
        parts = (machine.hash, model_hash(self.model), code_hash(), str(self.simulated))
        return hashlib.sha256("\n".join((*parts, *self.settings)).encode()).hexdigest()


@dataclass(frozen=True)
class Row:
    """What a point came to. Figures are 0 where `reason` says why there are none.

    Attributes:
        multipliers: FMAs of RedMulE, and one each of a SoftEx lane and a core: no area, which is
            published for SoftEx alone.
        tcdm_kib: KiB of TCDM.
        binds: the unit that most of the time goes to.
        estimated: units whose limits and cycles no recording covers.
    """

    model: str
    machine: str
    settings: Settings
    simulated: bool
    cycles: int = 0
    latency_s: float = 0.0
    energy_j: float = 0.0
    multipliers: int = 0
    tcdm_kib: float = 0.0
    binds: str = ""
    verdict: str = ""
    estimated: str = ""
    reason: str = ""

    @staticmethod
    def without_figures(point: Point, reason: str) -> Row:
        """The row of a point that came to nothing."""
        return Row(point.model, point.target, point.settings, point.simulated, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """As a mapping; `of_json` reads it."""
        return asdict(self)

    @staticmethod
    def of_json(data: dict[str, Any]) -> Row:
        """A row that was written."""
        values: dict[str, Any] = {**data, "settings": tuple(data["settings"])}
        return Row(**values)


def evaluate(point: Point) -> Row:
    """Cost of a point; a model that has no program on a machine is a row with the reason."""
    try:
        machine = Machine.load(point.target).with_settings(point.settings)
        compilation = Compilation.of(point.model, machine)
        if point.simulated:
            profile = compilation.program().run(functional=False).profile
        else:
            profile = estimate(compilation.outline(), machine)
    except UserError as error:
        return Row.without_figures(point, str(error))
    found = verdict(profile)
    return Row(
        point.model,
        point.target,
        point.settings,
        point.simulated,
        profile.cycles,
        profile.seconds,
        profile.energy_j,
        multipliers(machine),
        machine.cluster.tcdm_bytes / 1024,
        found.unit,
        str(found),
        "; ".join(unrecorded(machine)),
    )


def multipliers(machine: Machine) -> int:
    """Multipliers of a machine: RedMulE's FMAs, one a lane of SoftEx, one a core."""
    redmule, softex = machine.redmule, machine.softex
    array = redmule.rows * redmule.columns if redmule is not None else 0
    return array + (softex.lanes if softex is not None else 0) + machine.cluster.cores


@cache
def model_hash(model: str) -> str:
    """Hashes of a model's file and of weights beside it; of a built-in one, its name."""
    path = Path(model)
    if not path.is_file():
        return model
    return " ".join(map(digest, sorted({path, *path.parent.glob(f"{path.stem}*.safetensors")})))
