"""What a program has in L2: activations, ports, and weights in the layouts that kernels read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies.tables import SILU_LINES
from softex_mlir.compiler.schedule.kernels.kernel import SLOPES, WEIGHTS, ZEROS, Dtype
from softex_mlir.compiler.schedule.views import Region, View, region_for, row_major
from softex_mlir.compiler.target import padded_inner
from softex_mlir.compiler.weight_layout import ALIGNMENT, WeightLayout
from softex_mlir.dialects.cluster import GlobalKind
from softex_mlir.isa_sim.machine import Machine


@dataclass
class Symbols:
    """Names of a module, each given once: those of a model may be spelled like any of ours."""

    taken: set[str] = field(default_factory=set[str])

    def reserve(self, *names: str) -> None:
        """Keep names from being given to anything else."""
        self.taken.update(names)

    def fresh(self, name: str, *derived: str) -> str:
        """The name, continued with underscores if something has it, or has it with one of the
        suffixes in `derived`."""
        while any(name + suffix in self.taken for suffix in ("", *derived)):
            name += "_"
        self.reserve(*(name + suffix for suffix in ("", *derived)))
        return name


@dataclass(frozen=True)
class WeightValue:
    """A weight before it is known how it is laid out."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype


@dataclass(frozen=True)
class PackedWeight:
    """A weight in one layout; `name` is None for the row of zeros."""

    region: Region
    name: str | None
    shape: tuple[int, ...]
    layout: WeightLayout


@dataclass
class L2Objects:
    """All objects in L2 of a program for a machine."""

    machine: Machine
    entry: str = ""
    """What names of ports begin with: the entry, in a program with several."""
    by_columns: frozenset[str] = frozenset()
    """States whose columns lie as rows, as attention reads keys."""
    symbols: Symbols = field(default_factory=Symbols)
    regions: list[Region] = field(default_factory=list[Region])
    """In the order in which they lie: that in which they were made, outputs behind the others."""
    _weight_symbols: dict[str, str] = field(default_factory=dict[str, str])
    _packed: dict[tuple[str | None, WeightLayout], PackedWeight] = field(
        default_factory=dict[tuple[str | None, WeightLayout], PackedWeight]
    )
    _states: dict[str, Region] = field(default_factory=dict[str, Region])
    _scratch: Region | None = None

    @property
    def weights(self) -> dict[str, PackedWeight]:
        """Contents of the weights' regions, by symbol."""
        return {packed.region.symbol: packed for packed in self._packed.values()}

    def allocate(
        self, shape: Sequence[int], dtype: Dtype = "bf16", hint: str = "t", columns: int = 0
    ) -> View:
        """A new activation, with zeros behind its rows to `columns` and to what products of the
        machine read."""
        least = max(columns, self._read_columns(shape, dtype))
        # operations write all columns but not the padding, which may have to stay zero
        dense = bool(shape) and shape[-1] % ALIGNMENT == 0 and least <= shape[-1]
        kind = GlobalKind.TEMPORARY if dense else GlobalKind.ACTIVATION
        return row_major(self.add(kind, shape, dtype, hint, least), shape)

    def reshapes(self, shape: Sequence[int], dtype: Dtype, other: Sequence[int]) -> bool:
        """Whether a new activation of a shape would be one of the other shape too, as it lies."""
        least = self._read_columns(shape, dtype)
        region = region_for("", GlobalKind.ACTIVATION, shape, dtype, least)
        return row_major(region, shape).reshaped(other) is not None

    def _read_columns(self, shape: Sequence[int], dtype: Dtype) -> int:
        """Of a row, what products of the machine read."""
        return padded_inner(self.machine, shape[-1]) if dtype == "bf16" and shape else 0

    def add(
        self,
        kind: GlobalKind,
        shape: Sequence[int],
        dtype: Dtype,
        hint: str = "t",
        columns: int = 0,
    ) -> Region:
        """A region for an activation, numbered, its rows of at least so many columns."""
        return self._add(region_for(f"{hint}_{len(self.regions)}", kind, shape, dtype, columns))

    def add_input(self, name: str, shape: Sequence[int], dtype: Dtype) -> Region:
        """A region for an input."""
        symbol = f"{self.entry}input.{name}"
        return self._add(region_for(symbol, GlobalKind.INPUT, shape, dtype))

    def make_output(self, region: Region, name: str) -> None:
        """Turn an activation into an output."""
        region.kind = GlobalKind.OUTPUT
        self.regions.remove(region)
        region.symbol = f"{self.entry}output.{name}"
        self._add(region)

    def state(self, name: str, shape: Sequence[int]) -> View:
        """A matrix that outlives a run, the same for all functions of a module."""
        turned = name in self.by_columns
        stored = tuple(reversed(shape)) if turned else tuple(shape)
        if name not in self._states:
            region = region_for(f"state.{name}", GlobalKind.STATE, stored, "bf16")
            self._states[name] = self._add(region)
        view = row_major(self._states[name], stored)
        return view.permuted((1, 0)) if turned else view

    def scratch(self, elements: int) -> Region:
        """Memory that launches use for themselves, one after the other."""
        needed = region_for("spilled_scores", GlobalKind.ACTIVATION, (1, elements), "bf16")
        if self._scratch is None:
            self._scratch = self._add(needed)
        self._scratch.pitch = max(self._scratch.pitch, needed.pitch)
        return self._scratch

    def name_weights(self, names: Iterable[str]) -> None:
        """Let a model's weights keep their names, before anything else takes them."""
        self.symbols.reserve(SLOPES, WEIGHTS, SILU_LINES.symbol)
        for name in dict.fromkeys(names):
            if name not in self._weight_symbols:
                self._weight_symbols[name] = self.symbols.fresh(name)

    def weight_rows(self, weight: WeightValue) -> View:
        """A weight as plain rows."""
        key = weight.name, WeightLayout.rows(weight.shape)
        if key not in self._packed:
            symbol = self._weight_symbols[weight.name]
            region = region_for(symbol, GlobalKind.WEIGHT, weight.shape, weight.dtype)
            self.regions.append(region)
            self._packed[key] = PackedWeight(region, weight.name, weight.shape, key[1])
        return row_major(self._packed[key].region, weight.shape)

    def weight_columns(self, weight: WeightValue, inner: int) -> View:
        """A weight matrix turned: its columns as rows of at least so many elements."""
        region, layout = self.weight_tiles(weight, inner, 1)
        shape, pitch = (weight.shape[1], weight.shape[0]), layout.padded_shape[0]
        return View(region, 0, shape, (pitch, 1), region.dtype, True)

    def weight_tiles(
        self, weight: WeightValue, inner: int, columns: int
    ) -> tuple[Region, WeightLayout]:
        """A weight matrix in the order RedMulE jobs read it, tiles of `inner` x `columns`."""
        shape = (weight.shape[0], weight.shape[1])
        layout = WeightLayout.tiled(shape, inner, min(columns, round_up(shape[1], ALIGNMENT)))
        key = weight.name, layout
        if key not in self._packed:
            symbol = f"{weight.name}.tiles_{layout.inner}x{layout.columns}"
            count = layout.elements(shape)
            region = self._add(Region(symbol, GlobalKind.WEIGHT, 1, count, "bf16", (1, count)))
            self._packed[key] = PackedWeight(region, weight.name, shape, layout)
        return self._packed[key].region, layout

    def zeros(self, columns: int) -> tuple[Region, int]:
        """A row of at least `columns` zeros."""
        key = None, WeightLayout.rows(())
        if key not in self._packed:
            region = self._add(region_for(ZEROS, GlobalKind.WEIGHT, (1, ALIGNMENT), "bf16"))
            self._packed[key] = PackedWeight(region, None, (), key[1])
        region = self._packed[key].region
        region.pitch = max(region.pitch, round_up(columns, ALIGNMENT))
        return region, 0

    def _add(self, region: Region) -> Region:
        region.symbol = self.symbols.fresh(region.symbol)
        self.regions.append(region)
        return region
