"""The published experiments, repeated: tables with the published value beside ours.

Published values: Belano et al., arXiv 2412.06321, abstract and public summaries; values marked
*derived* follow from them. Ours come from the simulator, whose cycle models are calibrated against
the units' RTL (``softex bench calibration``) and whose energies are calibrated on the published
totals, so ratios carry more than absolute energies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.conformance import conformance
from softex_mlir.runtime.experiments.measure import Measurement, Table, measure


def _energy_at(measurement: Measurement, machine: Machine, position: int) -> float:
    """TOPS/W at the machine's operating point number `position`."""
    from softex_mlir.runtime.profile import build_profile

    point = machine.operating_points[min(position, len(machine.operating_points) - 1)]
    profile = build_profile(measurement.program, machine, measurement.result.run, point.name)
    return profile.tops_per_watt


def vit_base(machine: Machine) -> list[Table]:
    """ViT-base/16 end to end, with and without the accelerators, beside the published figures."""
    from softex_mlir.compiler.models import vit_base as model

    whole = measure("ViT-base", model, machine)
    software = measure("ViT-base", model, machine.without_softex(), functional=False)
    full, cores = whole.result.profile, software.result.profile
    redmule_share = full.units["redmule"].busy_share
    ours_low = _energy_at(whole, machine, 1)
    rows = (
        ("throughput, nominal GOPS", "310", f"{full.gops:.1f}"),
        (
            "GMAC, nominal and computed",
            "",
            f"{full.macs / 1e9:.2f}, {full.computed_macs / 1e9:.2f}",
        ),
        ("cycles", "126.9 M (derived)", f"{full.cycles / 1e6:.1f} M"),
        ("RedMulE busy share", "about 80 %", f"{redmule_share:.1%}"),
        ("efficiency at 0.55 V, TOPS/W", "1.34", f"{ours_low:.2f}"),
        ("throughput with / without SoftEx", "1.58x", f"{full.gops / cores.gops:.2f}x"),
        (
            "efficiency with / without SoftEx",
            "1.42x",
            f"{full.tops_per_watt / cores.tops_per_watt:.2f}x",
        ),
        ("compile, s on this host", "", f"{whole.compile_seconds:.1f}"),
        ("simulate, s on this host", "", f"{whole.simulate_seconds:.1f}"),
    )
    # Without RedMulE a whole model is an hour of a core's instructions: one layer tells the ratio.
    targets = {
        "full": machine,
        "without SoftEx": machine.without_softex(),
        "without RedMulE": machine.without_redmule(),
        "cores only": machine.cores_alone(),
    }
    runs = {
        name: measure(name, lambda: model(layers=1), target, functional=False)
        for name, target in targets.items()
    }
    ablation = tuple(
        (
            name,
            f"{m.result.cycles / 1e6:.1f}",
            f"{m.result.profile.gops:.1f}",
            f"{m.result.profile.tops_per_watt:.2f}",
            *(f"{m.result.profile.units[unit].busy_share:.0%}" for unit in UNITS),
        )
        for name, m in runs.items()
    )
    return [
        Table("ViT-base/16, 224x224, batch 1", ("figure", "published", "here"), rows),
        Table(
            "Ablation, one encoder layer",
            ("target", "Mcycles", "GOPS", "TOPS/W", *UNITS),
            ablation,
        ),
        prediction_table(whole),
    ]


UNITS = ("redmule", "softex", "cores", "dma_in", "dma_out")
"""Columns of busy shares."""


def prediction_table(measurement: Measurement) -> Table:
    """Cycles a layer as the compiler predicted and as the simulator found."""
    rows: list[tuple[str, ...]] = []
    for layer in measurement.result.profile.layers:
        if not layer.predicted or not layer.busy["redmule"]:
            continue
        error = layer.busy["redmule"] / layer.predicted - 1
        rows.append(
            (layer.name, f"{layer.predicted:,}", f"{layer.busy['redmule']:,}", f"{error:+.1%}")
        )
    columns = ("layer", "predicted RedMulE cycles", "simulated", "difference")
    return Table(f"{measurement.name}: cost model against simulation", columns, tuple(rows))


def models(machine: Machine) -> Sequence[Table]:
    """Other transformers, and how the tool scales with layers and tokens."""
    from softex_mlir.runtime.experiments.bench_models import tables

    return tables(machine)


def kernels(machine: Machine) -> list[Table]:
    """Softmax, GELU and layer norm: SoftEx against software on all the compute cores.

    Then what code written by hand gains over loop nests.
    """
    from softex_mlir.compiler import models as zoo
    from softex_mlir.runtime.experiments.general_bench import general_table

    without = machine.without_softex()
    compute_cores = machine.cluster.cores - (3 if machine.redmule else 2)
    rows: list[tuple[str, ...]] = []
    for kind, published, sizes in (
        ("softmax", "<= 10.8x", (64, 128, 197, 256, 512, 1024, 2048)),
        ("gelu", "<= 5.11x", (3072,)),
        ("layer_norm", "", (768,)),
    ):
        for columns in sizes:
            elements = 256 * columns

            def build(kind: str = kind, columns: int = columns) -> Any:
                return zoo.single_operation(kind, rows=256, columns=columns)

            fast = measure(kind, build, machine).result
            slow = measure(kind, build, without).result
            rows.append(
                (
                    f"{kind} 256x{columns}",
                    f"{fast.cycles / elements:.2f}",
                    f"{slow.cycles / elements:.2f}",
                    f"{slow.cycles * compute_cores / 8 / elements:.2f}",
                    f"{slow.cycles / fast.cycles:.2f}x",
                    f"{slow.energy_joules / fast.energy_joules:.2f}x",
                    published,
                )
            )
    head = (
        "operation",
        "SoftEx, cycles/element",
        f"{compute_cores} cores, cycles/element",
        "scaled to 8 cores",
        "speed-up",
        "energy gain",
        "published",
    )
    note = "published software on 8 cores: softmax 5.42, GELU 7.95 cycles/element (derived)"
    return [Table(f"Kernels, L2 to L2 ({note})", head, tuple(rows)), general_table(machine)]


UNRECORDED = (
    (
        "contention for TCDM banks",
        "a cycle-stepped arbiter, on accesses recorded from a program and on random ones",
        "2 % of a phase's cycles, asserted in test/sim/test_contention.py",
    ),
    (
        "RedMulE when accesses are denied",
        "published growth at 1, 5 and 10 % denials, three shapes; one constant is fitted on it",
        "0.5 % of a job, asserted likewise",
    ),
    ("starvation counter", "nothing: its value is not published, 1 is assumed", ""),
    (
        "cores",
        "cycles from the CV32E40P manual; results from unicorn, qemu and binutils",
        "cycles were not recorded",
    ),
    (
        "DMA, event unit, barriers",
        "published widths, queues and latencies; L2's latency is assumed",
        "cycles were not recorded",
    ),
)
"""Model, what it was compared with, and how far it is off at most."""


def calibration(_machine: Machine) -> list[Table]:
    """What each cycle and bit model was compared with, in how many cases, and how far it is off."""
    from softex_mlir.runtime.experiments.calibration import calibrate

    rows = tuple(
        (
            entry.unit,
            entry.quantity,
            entry.source,
            f"{entry.cases:,}",
            f"{entry.differing:,}",
            f"{entry.largest:+.0f} cycles" if entry.in_cycles else "",
            f"{entry.mean:.3%}" if entry.in_cycles else "",
        )
        for entry in calibrate()
    )
    columns = ("unit", "model", "recording", "cases", "differ", "largest", "mean")
    return [
        Table("Models against recordings of the units' RTL", columns, rows),
        Table(
            "Models without recordings, and what stands in for them",
            ("model", "compared with", "largest error"),
            UNRECORDED,
        ),
    ]


def accuracy(machine: Machine) -> list[Table]:
    """How far activations and expp are from the exact functions, over all BF16 inputs."""
    from softex_mlir.runtime.experiments.accuracy import activation_errors, expp_errors

    activations = tuple(
        (
            error.function,
            error.by,
            error.reference,
            f"{error.largest:.2e}",
            f"{error.worst_input:+.4g}",
            f"{error.mean:.2e}",
            f"{error.floor_largest:.2e}",
            f"{error.floor_mean:.2e}",
        )
        for error in activation_errors(machine)
    )
    exponentials = tuple(
        (
            error.constants,
            f"[{error.low:g}, {error.high:g}]",
            error.reference,
            f"{error.mean:.3%}",
            f"{error.largest:.3%}",
        )
        for error in expp_errors()
    )
    return [
        Table(
            "Activations, absolute error over all inputs; mean for N(0, 1); rounding alone",
            ("function", "by", "exact", "largest", "at", "mean", "BF16 largest", "BF16 mean"),
            activations,
        ),
        Table(
            "expp, relative error (published: mean 0.14 %, largest 0.78 %)",
            ("constants", "x in", "against", "mean", "largest"),
            exponentials,
        ),
    ]


def estimates(machine: Machine) -> list[Table]:
    """The cost model against simulations, model by model."""
    from softex_mlir.runtime.experiments.estimate_bench import against_simulation

    return against_simulation(machine)


def core(machine: Machine) -> list[Table]:
    """Speed of the simulated cores on this host, with timing on, and of qemu-riscv32."""
    from softex_mlir.runtime.experiments.bench_core import measure_core_speed

    rows = [
        (
            speed.program,
            f"{speed.one_core:.0f}",
            f"{speed.eight_cores:.0f}",
            "-" if speed.qemu is None else f"{speed.qemu:.0f}",
        )
        for speed in measure_core_speed(machine)
    ]
    return [
        Table(
            "Simulated cores, million instructions a host second",
            ("program", "one core", "eight cores in turns, total", "qemu-riscv32, no timing"),
            tuple(rows),
        )
    ]


BENCHMARKS: dict[str, Callable[[Machine], Sequence[Table]]] = {
    "vit-base": vit_base,
    "models": models,
    "kernels": kernels,
    "calibration": calibration,
    "estimate": estimates,
    "accuracy": accuracy,
    "core": core,
    "onnx": conformance,
}
"""What `softex bench` offers, by name."""
