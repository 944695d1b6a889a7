"""`softex bench paper`: every published figure with ours beside it.

Published: Belano et al., arXiv 2412.06321, abstract and public summaries; *derived* follows from
those. What was measured is kept experiment by experiment, so that an interrupted run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.tracks import CORES
from softex_mlir.runtime.experiments.kept import Kept, Progress
from softex_mlir.runtime.experiments.measure import Measurement, Table, measure

Values: TypeAlias = dict[str, float]
"""What an experiment measured, by name."""

ROWS = 256
"""Of the single operations: enough for the cores to be busy."""
COLUMNS = (64, 128, 197, 256, 512, 1024, 2048)
"""Of softmax; "up to" is over these."""
GELU_COLUMNS = 3072


def _expp(machine: Machine) -> Values:
    from softex_mlir.runtime.experiments.accuracy import expp_errors

    constants = machine.softex.expp if machine.softex is not None else "rtl"
    found = {
        error.reference: error
        for error in expp_errors()
        if error.constants == constants and (error.low, error.high) == (-88.0, 88.0)
    }
    rounded, exact = found["exp rounded to BF16"], found["exact exp"]
    return {
        "expp_mean": rounded.mean,
        "expp_max": rounded.largest,
        "expp_mean_exact": exact.mean,
        "expp_max_exact": exact.largest,
    }


def _operation(kind: str, columns: int, machine: Machine) -> Values:
    """One operation with SoftEx and on the compute cores, scaled to all cores of the cluster."""
    from softex_mlir.compiler.models import single_operation

    elements = ROWS * columns
    without = machine.without_softex()
    fast, slow = (
        measure(kind, lambda: single_operation(kind, ROWS, columns), target, functional=False)
        for target in (machine, without)
    )
    team = machine.cluster.cores - (2 if machine.redmule is None else 3)
    return {
        f"{kind}_{columns}_softex": fast.result.cycles / elements,
        f"{kind}_{columns}_cores": slow.result.cycles * team / machine.cluster.cores / elements,
        f"{kind}_{columns}_faster": slow.result.cycles / fast.result.cycles,
        f"{kind}_{columns}_energy": slow.result.energy_joules / fast.result.energy_joules,
    }


def _softmax(machine: Machine) -> Values:
    found: Values = {}
    for columns in COLUMNS:
        found |= _operation("softmax", columns, machine)
    return found


def _gelu(machine: Machine) -> Values:
    return _operation("gelu", GELU_COLUMNS, machine)


def _vit(machine: Machine, name: str) -> Values:
    from softex_mlir.compiler.models import vit_base
    from softex_mlir.runtime.profile import build_profile

    run = measure("ViT-base", vit_base, machine, functional=False)
    profile = run.result.profile
    low, point = machine.operating_points[-1], profile.operating_point
    peak = 2 * profile.peak_macs * point.frequency_hz
    efficient = build_profile(run.program, machine, run.result.run, low.name)
    return {
        f"{name}_cycles": float(profile.cycles),
        f"{name}_gops": profile.gops,
        f"{name}_peak": 1e9 * profile.gops / peak,
        f"{name}_tops_per_watt": efficient.tops_per_watt,
        f"{name}_redmule": float(profile.units["redmule"].busy_cycles),
        f"{name}_gelu": _core_share(run, "gelu"),
        f"{name}_softmax": _core_share(run, "attention"),
    }


def _core_share(run: Measurement, kernel: str) -> float:
    """Time the compute cores work in kernels of that name, of the whole run."""
    launches = run.program.metadata["launches"]
    busy = run.result.profile.ledger.busy[CORES]
    mine = sum(
        int(busy[place]) for place, launch in enumerate(launches) if kernel in launch["kernel"]
    )
    machine = run.program.machine
    team = machine.cluster.cores - (2 if machine.redmule is None else 3)
    return mine / team / run.result.cycles


EXPERIMENTS: Mapping[str, Callable[[Machine], Values]] = {
    "expp over all inputs": _expp,
    "softmax with and without SoftEx": _softmax,
    "GELU with and without SoftEx": _gelu,
    "ViT-base with SoftEx": lambda machine: _vit(machine, "with"),
    "ViT-base without SoftEx": lambda machine: _vit(machine.without_softex(), "without"),
}


@dataclass(frozen=True)
class Published:
    """A published figure and how ours is made of what was measured.

    Attributes:
        value: as published, in the unit of `form`.
        here: ours of the measured values; None for what cannot be had here, and `note` says why.
    """

    title: str
    value: float
    form: str
    here: Callable[[Values], float] | None
    note: str = ""

    def cells(self, measured: Values) -> tuple[str, ...]:
        """The row of the table."""
        published = self.form.format(self.value)
        if self.here is None:
            return (self.title, published, "", "", self.note)
        ours = self.here(measured)
        return (
            self.title,
            published,
            self.form.format(ours),
            f"{ours / self.value - 1:+.1%}",
            self.note,
        )


def _value(name: str, scale: float = 1.0) -> Callable[[Values], float]:
    return lambda v: scale * v[name]


def _ratio(above: str, below: str) -> Callable[[Values], float]:
    return lambda v: v[above] / v[below]


def _best(kind: str, figure: str) -> Callable[[Values], float]:
    return lambda v: max(
        value for name, value in v.items() if name.startswith(kind) and name.endswith(figure)
    )


_DERIVED = "derived"
_TOTALS = "energy is calibrated on the published totals"
_SOFTWARE = "our software is faster than theirs"
FIGURES = (
    Published(
        "expp, mean error against exp rounded to BF16", 0.0014, "{:.3%}", _value("expp_mean")
    ),
    Published("expp, largest", 0.0078, "{:.3%}", _value("expp_max")),
    Published("expp, mean error, exact exp", 0.0020, "{:.3%}", _value("expp_mean_exact")),
    Published("expp, largest", 0.0087, "{:.3%}", _value("expp_max_exact")),
    Published(
        "expp against glibc's exp on a core",
        121,
        "{:.0f}x",
        None,
        "glibc's exp is no part of programs",
    ),
    Published(
        "softmax, faster by SoftEx, up to", 10.8, "{:.2f}x", _best("softmax", "faster"), _SOFTWARE
    ),
    Published(
        "softmax, less energy, up to", 10.8, "{:.2f}x", _best("softmax", "energy"), _SOFTWARE
    ),
    Published("GELU, faster by SoftEx, up to", 5.11, "{:.2f}x", _best("gelu", "faster"), _SOFTWARE),
    Published("GELU, less energy, up to", 5.29, "{:.2f}x", _best("gelu", "energy"), _SOFTWARE),
    Published(
        "softmax on 8 cores, cycles an element",
        5.42,
        "{:.2f}",
        _value("softmax_2048_cores"),
        _DERIVED,
    ),
    Published(
        "GELU on 8 cores, cycles an element",
        7.95,
        "{:.2f}",
        _value(f"gelu_{GELU_COLUMNS}_cores"),
        _DERIVED,
    ),
    Published(
        "softmax with SoftEx, cycles an element",
        0.56,
        "{:.2f}",
        _value("softmax_2048_softex"),
        _DERIVED,
    ),
    Published(
        "GELU with SoftEx, cycles an element",
        1.56,
        "{:.2f}",
        _value(f"gelu_{GELU_COLUMNS}_softex"),
        _DERIVED,
    ),
    Published(
        "ViT-base, throughput with / without SoftEx",
        1.58,
        "{:.2f}x",
        _ratio("with_gops", "without_gops"),
        _SOFTWARE,
    ),
    Published("ViT-base, GOPS at 0.8 V", 310, "{:.1f}", _value("with_gops")),
    Published("ViT-base, share of the peak", 0.72, "{:.1%}", _value("with_peak")),
    Published(
        "ViT-base, efficiency with / without SoftEx",
        1.42,
        "{:.2f}x",
        _ratio("with_tops_per_watt", "without_tops_per_watt"),
        _SOFTWARE,
    ),
    Published("ViT-base, TOPS/W at 0.55 V", 1.34, "{:.2f}", _value("with_tops_per_watt"), _TOTALS),
    Published(
        "GELU's share of ViT-base without SoftEx",
        0.288,
        "{:.1%}",
        _value("without_gelu"),
        "cores at work in its kernels; here it overlaps with RedMulE",
    ),
    Published(
        "softmax' share of ViT-base without SoftEx",
        0.151,
        "{:.1%}",
        _value("without_softmax"),
        "cores at work in attention; here it overlaps with RedMulE",
    ),
    Published(
        "ViT-base without SoftEx, Mcycles",
        200.5,
        "{:.1f}",
        _value("without_cycles", 1e-6),
        _DERIVED,
    ),
    Published(
        "ViT-base with SoftEx, Mcycles", 126.9, "{:.1f}", _value("with_cycles", 1e-6), _DERIVED
    ),
    Published(
        "of it RedMulE at work, Mcycles", 102, "{:.1f}", _value("with_redmule", 1e-6), _DERIVED
    ),
    Published("SoftEx, mm² in 12 nm", 0.039, "{:.3f}", None, "no model of area"),
    Published("SoftEx, share of the cluster's area", 0.0322, "{:.2%}", None, "no model of area"),
    Published("clock, GHz", 1.12, "{:.2f}", None, "given: it is in the machine description"),
)
"""All of them, and how ours are made."""

COLUMN_TITLES = ("figure", "published", "here", "deviation", "note")


def paper(
    machine: Machine, state: Path | None = None, progress: Progress | None = None
) -> list[Table]:
    """All published figures beside ours.

    Args:
        state: keeps what was measured, for this machine and this code; another run goes on from it.
        progress: is told what is done now.
    """

    measured: Values = {}
    kept = Kept(state, machine, progress)
    for number, (name, experiment) in enumerate(EXPERIMENTS.items(), start=1):
        place = f"{number}/{len(EXPERIMENTS)}"
        measured |= kept.get(name, partial(experiment, machine), place)
    rows = tuple(figure.cells(measured) for figure in FIGURES)
    times = tuple((name, f"{seconds:.0f}") for name, seconds in kept.seconds.items())
    return [
        Table("Published figures and ours", COLUMN_TITLES, rows),
        Table("What it took on this host", ("experiment", "seconds"), times),
    ]
