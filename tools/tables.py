"""Tables the commands print: they need 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from softex_mlir.isa_sim.energy import coefficients
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.energy_sweep import conclusion, swept
from softex_mlir.runtime.costs.forecast import STREAM_TRACKS
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.quantities import rate

if TYPE_CHECKING:
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.runtime.costs.rows import CostRow
    from softex_mlir.runtime.costs.summary import Summary
    from softex_mlir.runtime.profile import PointFigures, Profile

FILE_WIDTH = 80
"""Columns of a table that goes to a file or a pipe."""
MOST_NAME = 30
"""Columns of a layer's name before it is broken, between words."""
WORTH_COMPARING = 0.005
"""Rows of a smaller share of the time are not compared with their forecast or their bound."""
BOUND = ("bound", "slack")


def console() -> Console:
    """Standard output: as wide as the terminal, wide enough for the tables without one."""
    found = Console()
    return found if found.is_terminal else Console(width=FILE_WIDTH)


def short(number: float) -> str:
    """A count in at most five characters: 109M, 97.8k, 12."""
    for scale, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * scale:
            scaled = number / scale
            return f"{scaled:.0f}{suffix}" if scaled >= 99.95 else f"{scaled:.3g}{suffix}"
    return f"{number:.0f}" if number else ""


def joules(energy: float) -> str:
    """An energy with its unit."""
    for scale, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")):
        if energy >= scale:
            return f"{energy / scale:.3g} {unit}"
    return f"{energy * 1e9:.3g} nJ"


def seconds(time: float) -> str:
    """A time with its unit."""
    return f"{time * 1e3:.2f} ms" if time >= 1e-3 else f"{time * 1e6:.1f} µs"


def share(part: float) -> str:
    """A share in per cent, or a multiple; empty for nothing."""
    return f"{part:.1%}" if 0 < part < 10 else f"{part:.0f}x" if part else ""


def _title(row: CostRow) -> Text:
    """A name that breaks behind its slashes only."""
    return Text(row.title.replace(" /", "\N{NO-BREAK SPACE}/"))


def summary_tables(summary: Summary, *, per_layer: bool) -> list[Table | Text]:
    """The summary in lines, then where time and work go, by kind of layers or layer by layer."""
    profile = summary.profile
    rows = [row for row in (profile.layers if per_layer else profile.kinds) if _counts(row)]
    return [
        Text(f"{summary.model or 'model'} on {summary.machine}, {_source(summary)}"),
        _lines(summary),
        Text(),
        time_table(profile, rows, simulated=summary.simulated),
        Text(),
        work_table(profile, rows),
    ]


def _source(summary: Summary) -> str:
    how = "simulated" if summary.simulated else "estimated by the cost model"
    return f"{how} (softex-mlir {summary.version})"


def _counts(row: CostRow) -> bool:
    return bool(row.exclusive_cycles or any(row.busy.values()))


def _lines(summary: Summary) -> Table:
    profile, memory = summary.profile, summary.memory
    point = profile.operating_point
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    speed = 1 / profile.seconds if profile.seconds else 0.0
    lines = [
        (
            "latency",
            f"{seconds(profile.seconds)}, {rate(speed)} inferences/s at {point.voltage} V, "
            f"{point.frequency_hz / 1e6:.0f} MHz ({profile.cycles:,} cycles)",
        ),
        (
            "energy",
            f"{joules(profile.energy_j)} an inference, {profile.watts * 1e3:.4g} mW on average "
            f"({profile.energy.note})",
        ),
        ("", f"of it {_bases(profile)} (--energy tells more)"),
        *(
            (f"at {found.point.voltage} V", _at(found))
            for found in profile.points
            if found.point != point
        ),
        (
            "throughput",
            f"{_gops(profile)}, {profile.peak_share:.1%} of the peak; "
            f"{profile.tops_per_watt:.3g} TOPS/W",
        ),
        (
            "memory",
            f"weights {_size(memory.weights)}, "
            + (f"L2 {_size(memory.l2)}, " if memory.l2 else "")
            + f"TCDM {memory.tcdm / 1024:.0f} of {memory.tcdm_bytes / 1024:.0f} KiB",
        ),
        ("bound", _bound(profile)),
        *([("changed", ", ".join(summary.changes))] if summary.changes else []),
        *_validity(summary),
        *(("FP32" if not place else "", line) for place, line in enumerate(summary.quality)),
        ("verdict", str(summary.verdict)),
    ]
    if advice := str(summary.verdict.advice):
        lines.append(("what helps", advice))
    for name, text in lines:
        grid.add_row(Text(name), Text(text))
    return grid


def _validity(summary: Summary) -> list[tuple[str, str]]:
    found: list[str] = []
    if summary.compared_with:
        found.append(f"on the published RTL of {', '.join(summary.compared_with)}")
    if summary.estimated:
        found.append(f"estimated: {', '.join(summary.estimated)}")
    return [("validity" if not place else "", line) for place, line in enumerate(found)]


def _at(found: PointFigures) -> str:
    return (
        f"{seconds(found.seconds)}, {rate(found.inferences_per_second)} inferences/s, "
        f"{joules(found.energy_j)}, {found.watts * 1e3:.4g} mW, {found.tops_per_watt:.3g} TOPS/W "
        f"({found.point.frequency_hz / 1e6:.0f} MHz)"
    )


def _bases(profile: Profile) -> str:
    total = profile.energy_j or 1.0
    ordered = sorted(profile.energy_by_basis.items(), key=lambda item: -item[1])
    return ", ".join(f"{energy / total:.0%} {basis}" for basis, energy in ordered)


def _bound(profile: Profile) -> str:
    name, cycles = profile.bound
    if not cycles:
        return "nothing to do"
    above = profile.cycles / cycles - 1
    return f"this work takes {unit_name(name)} {cycles:,} cycles at least; {above:.1%} above that"


def _gops(profile: Profile) -> str:
    """Nominal operations a second, and those computed if these are fewer."""
    if profile.macs == profile.computed_macs:
        return f"{profile.gops:.1f} GOPS"
    computed = profile.gops * profile.computed_macs / profile.macs
    return f"{profile.gops:.1f} GOPS nominal, {computed:.1f} GOPS computed"


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"


def time_table(profile: Profile, rows: Sequence[CostRow], *, simulated: bool = True) -> Table:
    """Exclusive cycles and busy cycles; the cost model counts units that cores drive as cores."""
    table = _table("time", rows)
    folded = any(row.layers > 1 for row in rows)
    for name in ("n", "time", "cycles")[not folded :]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound by", no_wrap=True)
    accelerators = [unit.name for unit in registry.units_of(profile.machine)]
    driven = [] if simulated else [name for name in accelerators if name not in STREAM_TRACKS]
    units = [name for name in (*accelerators, "cores", "dma_in", "dma_out") if name not in driven]
    for name in units:
        also = [unit for unit in driven if name == "cores" and profile.machine.section(unit)]
        table.add_column("+".join(map(unit_name, (name, *also))), justify="right", no_wrap=True)
    total = max(profile.cycles, 1)
    for row in rows:
        table.add_row(
            _title(row),
            *((str(row.layers),) if folded else ()),
            share(row.exclusive_cycles / total),
            short(row.exclusive_cycles),
            unit_name(row.bound_by),
            *(short(row.busy[name]) for name in units),
        )
    table.add_section()
    table.add_row(
        "total",
        *(("",) if folded else ()),
        "100%",
        short(profile.cycles),
        "busy",
        *(f"{profile.units[name].busy_share:.0%}" for name in units),
    )
    return table


def work_table(profile: Profile, rows: Sequence[CostRow]) -> Table:
    """MACs, how well they use RedMulE, energy, the bound and the distance to it, the model's error.

    `slack`: cycles of the row above its bound, in per cent of the bound; below zero where it ran
    beneath others.
    """
    table = _table("work", rows)
    for name in ("MACs", "padded", "of peak", "energy", "share", "TOPS/W", *BOUND, "model"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in (*rows, None):
        macs = profile.computed_macs if row is None else row.macs
        array = sum(r.array_macs for r in rows) if row is None else row.array_macs
        cycles = profile.cycles if row is None else row.exclusive_cycles
        energy = profile.energy_j if row is None else row.energy.total_j
        bound = profile.bound[1] if row is None else row.bound_cycles
        possible = profile.peak_macs * cycles
        if row is None:
            table.add_section()
        table.add_row(
            "total" if row is None else _title(row),
            short(macs),
            share(array / macs - 1) if macs and array else "",
            share(macs / possible) if possible else "",
            joules(energy) if energy else "",
            share(energy / profile.energy_j) if profile.energy_j else "",
            f"{2 * macs / energy / 1e12:.3g}" if macs and energy else "",
            short(bound),
            f"{cycles / bound - 1:+.0%}" if _compared(bound, profile) else "",
            _difference(profile.forecast if row is None else row.forecast, cycles, profile),
        )
    return table


def _compared(bound: int, profile: Profile) -> bool:
    return bound > 0 and bound >= WORTH_COMPARING * profile.cycles


def energy_tables(profile: Profile) -> list[Table | Text]:
    """Energy by cause with what each rests on, operating points, and the free choice swept."""
    return [
        Text(),
        _causes(profile),
        Text(),
        _points(profile),
        Text(),
        *_sweep(profile),
    ]


def _plain(*columns: str, left: int = 1) -> Table:
    """A table of figures; the first `left` columns hold words."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=True)
    return table


def _causes(profile: Profile) -> Table:
    table = _plain("energy", "", "share", "at")
    table.add_column("rests on")
    shown: set[str] = set()
    for c in coefficients(profile.machine):
        part = profile.energy.parts[c.cause] if c.cause not in shown else 0.0
        shown.add(c.cause)
        table.add_row(
            unit_name(c.cause) if part else "",
            joules(part) if part else "",
            share(part / profile.energy_j) if part else "",
            Text(f"{c.value:g} {c.unit}"),
            Text(f"{c.source.basis}: {c.source.words}"),
        )
    return table


def _points(profile: Profile) -> Table:
    table = _plain("at", "clock", "latency", "inferences/s", "energy", "power", "TOPS/W")
    for found in profile.points:
        table.add_row(
            f"{found.point.voltage} V ({found.point.name})",
            f"{found.point.frequency_hz / 1e6:.0f} MHz",
            seconds(found.seconds),
            rate(found.inferences_per_second),
            joules(found.energy_j),
            f"{found.watts * 1e3:.4g} mW",
            f"{found.tops_per_watt:.3g}",
        )
    return table


def _sweep(profile: Profile) -> list[Table | Text]:
    table = _plain("a core instruction", "base", "RedMulE", "energy", "cores", "largest", "TOPS/W")
    found = swept(profile)
    for choice in found:
        table.add_row(
            f"{choice.core_pj:g} pJ",
            f"{choice.base_pj:.0f} pJ",
            f"{choice.redmule_pj:.2f} pJ",
            joules(choice.energy_j),
            share(choice.parts["cores"] / choice.energy_j) if choice.energy_j else "",
            unit_name(choice.largest),
            f"{choice.tops_per_watt:.3g}",
        )
    return [table, Text(str(conclusion(found)))]


def _difference(forecast: int, cycles: int, profile: Profile) -> str:
    """What the cost model expects above the simulation; empty where that says little."""
    if not forecast or cycles < WORTH_COMPARING * profile.cycles or forecast == cycles:
        return ""
    return f"{forecast / cycles - 1:+.1%}"


def _table(title: str, rows: Sequence[CostRow]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    words = [len(part) for row in rows for part in _title(row).plain.split(" ")]
    longest = max((len(row.title) for row in rows), default=0)
    # Wide enough for every word: names break between words only.
    width = min(max([5, *words]), MOST_NAME)
    table.add_column(title, min_width=width, max_width=max(width, min(longest, MOST_NAME)))
    return table


def placement_table(placement: Iterable[Placement]) -> Table:
    """Which unit each operation runs on, and why."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in ("layer", "operation", "unit", "reason"):
        table.add_column(column, overflow="fold")
    for entry in placement:
        table.add_row(entry.layer, entry.op, entry.unit, entry.reason)
    return table
