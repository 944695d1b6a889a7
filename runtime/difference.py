"""What differs between two programs, layer by layer; cycles are shown, and are no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from softex_mlir.errors import UserError
from softex_mlir.files import read_json
from softex_mlir.runtime.command_stream import commands
from softex_mlir.runtime.costs.summary import MemoryUse
from softex_mlir.runtime.program import Program

Stream: TypeAlias = dict[str, list[dict[str, Any]]]
"""Commands by layer."""
Pair: TypeAlias = tuple[int, int]
"""Of the one program and the other."""

_WANTED = "expected a profile (softex run m.elf --profile p.json)"


@dataclass(frozen=True)
class Cycles:
    """Exclusive cycles of a program by layer (`costs.exclusive`), which add up to the whole.

    Attributes:
        predicted: by the compiler's cost model; 0 where it has none.
        simulated: in a run.
    """

    predicted: Mapping[str, int]
    simulated: Mapping[str, int]

    @staticmethod
    def of(rows: Iterable[Mapping[str, Any]]) -> Cycles:
        """From the `layers` of a profile's JSON."""
        known = list(rows)
        return Cycles(
            {row["name"]: int(row["forecast_cycles"]) for row in known},
            {row["name"]: int(row["exclusive_cycles"]) for row in known},
        )


def read_cycles(path: Path) -> Cycles:
    """The cycles by layer of a profile's file.

    Raises:
        UserError: it cannot be read, or is none.
    """
    try:
        return Cycles.of(read_json(path)["layers"])
    except OSError as error:
        raise UserError(f"{path}: cannot read the profile: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: {_WANTED}: {error}") from error


@dataclass(frozen=True)
class LayerDifference:
    """One layer of two programs.

    Attributes:
        changes: what differs, a line each; empty for a layer that is the same.
        predicted, simulated: exclusive cycles in each program; they are no difference.
    """

    layer: str
    changes: tuple[str, ...]
    predicted: Pair
    simulated: Pair

    @property
    def slower_or_faster(self) -> bool:
        """Whether it takes other cycles."""
        return any(before != after for before, after in (self.predicted, self.simulated))


@dataclass(frozen=True)
class Difference:
    """What differs: of the whole programs, and by layer, in the order of the program."""

    whole: tuple[str, ...]
    layers: tuple[LayerDifference, ...]

    def __bool__(self) -> bool:
        return bool(self.whole or any(layer.changes for layer in self.layers))

    def lines(self) -> list[str]:
        """The difference for people."""
        found = list(self.whole)
        for layer in self.layers:
            if layer.changes:
                found += [layer.layer, *(f"  {change}" for change in layer.changes)]
        if self:
            same = sum(not layer.changes for layer in self.layers)
            found.append(f"{same} of {len(self.layers)} layers are the same")
        return [*(found or ["no difference"]), *self._cycle_lines()]

    def _cycle_lines(self) -> Iterator[str]:
        """A table of the layers that take other cycles, and of the sum."""
        rows = [row for row in self.layers if row.slower_or_faster]
        if not rows:
            return
        total = [
            _sum(getattr(row, name) for row in self.layers) for name in ("predicted", "simulated")
        ]
        rows.append(LayerDifference("total", (), *total))
        width = max(len(row.layer) for row in rows)
        yield ""
        yield f"{'exclusive cycles':{width}} {'predicted':>26} {'simulated':>34}"
        for row in rows:
            (a, b), (c, d) = row.predicted, row.simulated
            change = f"{d / c - 1:+.1%}" if c else ""
            line = f"{row.layer:{width}} {a:>11,} -> {b:>11,} {c:>11,} -> {d:>11,} {change:>7}"
            yield line.rstrip()

    def rows(self) -> list[dict[str, Any]]:
        """A row for every change, and for every layer that takes other cycles; those of the whole
        programs name no layer."""
        found: list[dict[str, Any]] = [{"layer": "", "change": change} for change in self.whole]
        for row in self.layers:
            cycles = {
                f"{name}_{when}": value
                for name in ("predicted", "simulated")
                for when, value in zip(("before", "after"), getattr(row, name), strict=True)
            }
            changes = row.changes or (("",) if row.slower_or_faster else ())
            found += [{"layer": row.layer, "change": change, **cycles} for change in changes]
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "different": bool(self),
            "whole": list(self.whole),
            "layers": [
                {
                    "layer": row.layer,
                    "changes": list(row.changes),
                    "predicted_cycles": list(row.predicted),
                    "simulated_cycles": list(row.simulated),
                }
                for row in self.layers
            ],
        }


def difference(one: Program, other: Program, cycles: Sequence[Cycles] | None = None) -> Difference:
    """Compare the commands, the memory, the data and the code of two programs.

    Commands, and cycles unless they are given, come from runs without arithmetic; addresses are
    compared as places in named buffers.

    Raises:
        UserError: cycles are given that are of other layers.
    """
    if one.elf == other.elf and cycles is None:
        return Difference((), ())
    sides = [_side(program) for program in (one, other)]
    streams = [stream for stream, _ in sides]
    if cycles is not None:
        _check_layers(cycles, streams)
    first, second = cycles or [found for _, found in sides]
    layers = dict.fromkeys([*streams[0], *streams[1], *first.simulated, *second.simulated])
    rows = tuple(
        LayerDifference(
            layer,
            tuple(_changes(*(stream.get(layer) for stream in streams))),
            (first.predicted.get(layer, 0), second.predicted.get(layer, 0)),
            (first.simulated.get(layer, 0), second.simulated.get(layer, 0)),
        )
        for layer in layers
    )
    return Difference(tuple(_whole(one, other, any(row.changes for row in rows))), rows)


def _sum(pairs: Iterable[Pair]) -> Pair:
    before, after = zip(*pairs, strict=True)
    return sum(before), sum(after)


def _side(program: Program) -> tuple[Stream, Cycles]:
    """The commands of a program by layer, and its cycles."""
    from softex_mlir.runtime import session

    result = session.run(program, functional=False)
    layers = result.profile.to_json()["layers"]
    return _by_layer(commands(program, run=result.run)), Cycles.of(layers)


def _check_layers(cycles: Sequence[Cycles], streams: Sequence[Stream]) -> None:
    for place, found, stream in zip(("first", "second"), cycles, streams, strict=True):
        missing = [layer for layer in stream if layer not in found.simulated]
        if missing:
            raise UserError(
                f"--profile: expected one of the {place} program, found one without the layer "
                f"{missing[0]}"
            )


def _by_layer(found: list[dict[str, Any]]) -> Stream:
    layers: Stream = {}
    for command in found:
        layers.setdefault(command["layer"], []).append(command)
    return layers


def _changes(one: list[dict[str, Any]] | None, other: list[dict[str, Any]] | None) -> list[str]:
    if one is None and other is None:
        return []
    if one is None or other is None:
        return ["only in the second" if one is None else "only in the first"]
    changes: list[str] = []
    for unit in dict.fromkeys(command["unit"] for command in (*one, *other)):
        before, after = (
            [command for command in stream if command["unit"] == unit] for stream in (one, other)
        )
        shapes = [Counter(command["shape"] for command in stream) for stream in (before, after)]
        gone, come = shapes[0] - shapes[1], shapes[1] - shapes[0]
        if gone or come:
            changes.append(f"{unit}: {_counted(gone)} -> {_counted(come)}")
        elif [c["shape"] for c in before] != [c["shape"] for c in after]:
            changes.append(f"{unit}: the same {len(before)} in another order")
        else:
            moved = sum(
                a["registers"] != b["registers"] for a, b in zip(before, after, strict=True)
            )
            if moved:
                changes.append(f"{unit}: {moved} of {len(before)} with other operands")
    return changes


def _counted(shapes: Counter[str]) -> str:
    most = shapes.most_common(3)
    text = ", ".join(f"{count} x {shape}" for shape, count in most)
    return (text or "none") + (", …" if len(shapes) > len(most) else "")


def _whole(one: Program, other: Program, commands_differ: bool) -> list[str]:
    found: list[str] = []
    if one.machine.hash != other.machine.hash:
        names = [
            f"{program.machine.name} ({program.machine.hash[:12]})" for program in (one, other)
        ]
        found.append(f"machine: {names[0]} -> {names[1]}")
    for kind in ("inputs", "outputs"):
        ports = [
            [(port.name, port.shape, port.dtype) for port in getattr(program, kind)]
            for program in (one, other)
        ]
        if ports[0] != ports[1]:
            found.append(f"{kind}: {ports[0]} -> {ports[1]}")
    use = [MemoryUse.of(p.metadata, p.machine.cluster) for p in (one, other)]
    for name in ("weights", "l2", "tcdm"):
        before, after = getattr(use[0], name), getattr(use[1], name)
        if before != after:
            found.append(f"memory: {name} {before:,} -> {after:,} bytes")
    code, data = (
        [[s.data for s in p.segments if s.executable == wanted] for p in (one, other)]
        for wanted in (True, False)
    )
    if code[0] != code[1]:
        sizes = [sum(map(len, parts)) for parts in code]
        found.append(f"code: {sizes[0]:,} -> {sizes[1]:,} bytes")
    elif data[0] != data[1] and not commands_differ:
        found.append("data: weights, constants or launch records")
    return found
