"""`softex bench models`: other transformers, and how the tool scales with layers and tokens."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence

from softex_mlir.compiler import models as zoo
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Measurement, Table, measure


def tables(machine: Machine) -> Sequence[Table]:
    """All tables; layers first, whose peak memory must not hide behind a larger model's."""
    return [layers_table(machine), tokens_table(machine), models_table(machine)]


def layers_table(machine: Machine) -> Table:
    """ViT-base with 1 to 24 layers: what compiling and simulating cost."""
    rows: list[tuple[str, ...]] = []
    for count, build in zoo.LAYERS.items():
        m = measure(f"{count} layers", build, machine, functional=False)
        rows.append(
            (
                str(count),
                f"{m.result.cycles / 1e6:.1f}",
                f"{m.compile_seconds:.1f}",
                f"{m.simulate_seconds:.1f}",
                f"{_peak_megabytes():.0f}",
                *_sizes(m),
            )
        )
    columns = ("layers", "Mcycles", "compile s", "sim s", "peak memory MB", *_SIZES)
    return Table("ViT-base by layers (equal layers share their code)", columns, tuple(rows))


def tokens_table(machine: Machine) -> Table:
    """One layer of BERT-base: the code does not grow with the tokens, the list of launches does."""
    rows: list[tuple[str, ...]] = []
    for tokens, build in zoo.TOKENS.items():
        m = measure(f"{tokens} tokens", build, machine, functional=False)
        profile = m.result.profile
        rows.append(
            (
                f"{tokens:,}",
                f"{profile.cycles / 1e6:.1f}",
                f"{profile.gops:.1f}",
                f"{profile.units['redmule'].busy_share:.0%}",
                f"{m.compile_seconds:.1f}",
                f"{m.simulate_seconds:.1f}",
                *_sizes(m),
            )
        )
    columns = ("tokens", "Mcycles", "GOPS", "redmule", "compile s", "sim s", *_SIZES)
    return Table("One layer of BERT-base by tokens", columns, tuple(rows))


def models_table(machine: Machine) -> Table:
    """Other transformers, and ViT-base at batch 8."""
    rows: list[tuple[str, ...]] = []
    for name, build in zoo.BENCHMARKS.items():
        m = measure(name, build, machine, functional=False)
        profile = m.result.profile
        units = profile.units
        rows.append(
            (
                name,
                f"{profile.macs / 1e9:.1f}",
                f"{profile.computed_macs / 1e9:.1f}",
                f"{profile.cycles / 1e6:.1f}",
                f"{profile.gops:.1f}",
                *(f"{units[unit].busy_share:.0%}" for unit in _SHARES),
                f"{profile.energy_j * 1e3:.1f}",
                f"{m.compile_seconds:.1f}",
                f"{m.simulate_seconds:.1f}",
            )
        )
    columns = (
        "model",
        "GMAC",
        "computed",
        "Mcycles",
        "GOPS",
        *_SHARES,
        "mJ",
        "compile s",
        "sim s",
    )
    return Table("Models at 0.8 V (published: ViT-base, batch 1, 310 GOPS)", columns, tuple(rows))


_SHARES = ("redmule", "softex", "cores", "dma_in")

_SIZES = ("code KB", "launches")


def _sizes(m: Measurement) -> tuple[str, str]:
    code = sum(len(segment.data) for segment in m.program.segments if segment.executable)
    return f"{code / 1e3:.1f}", f"{len(m.program.metadata['launches']):,}"


def _peak_megabytes() -> float:
    """The process' largest resident memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
