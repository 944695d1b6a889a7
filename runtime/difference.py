"""What differs between two programs, layer by layer; cycles are shown, and are no difference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from softex_mlir.runtime.command_stream import commands
from softex_mlir.runtime.costs.summary import MemoryUse
from softex_mlir.runtime.program import Program


@dataclass(frozen=True)
class LayerDifference:
    """One layer of two programs.

    Attributes:
        changes: what differs, a line each; empty for a layer that is the same.
        cycles: of its commands, busy cycles in each program.
    """

    layer: str
    changes: tuple[str, ...]
    cycles: tuple[int, int]


@dataclass(frozen=True)
class Difference:
    """What differs: of the whole programs, and by layer."""

    whole: tuple[str, ...]
    layers: tuple[LayerDifference, ...]

    def __bool__(self) -> bool:
        return bool(self.whole or any(layer.changes for layer in self.layers))

    def lines(self) -> list[str]:
        """The difference for people."""
        found = list(self.whole)
        for layer in self.layers:
            if layer.changes:
                before, after = layer.cycles
                found.append(f"{layer.layer} (busy cycles {before:,} -> {after:,})")
                found += [f"  {change}" for change in layer.changes]
        same = sum(not layer.changes for layer in self.layers)
        if not self:
            return ["no difference"]
        return [*found, f"{same} of {len(self.layers)} layers are the same"]

    def rows(self) -> list[dict[str, Any]]:
        """A row for every change; those of the whole programs name no layer."""
        changes = [
            {"layer": row.layer, "change": change, "before": row.cycles[0], "after": row.cycles[1]}
            for row in self.layers
            for change in row.changes
        ]
        return [*({"layer": "", "change": change} for change in self.whole), *changes]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "different": bool(self),
            "whole": list(self.whole),
            "layers": [
                {"layer": row.layer, "changes": list(row.changes), "cycles": list(row.cycles)}
                for row in self.layers
            ],
        }


def difference(one: Program, other: Program) -> Difference:
    """Compare the commands, the memory, the data and the code of two programs.

    Commands come from runs without arithmetic; addresses are compared as places in named buffers.
    """
    if one.elf == other.elf:
        return Difference((), ())
    streams = [_by_layer(commands(program)) for program in (one, other)]
    layers = list(dict.fromkeys([*streams[0], *streams[1]]))
    rows = tuple(
        LayerDifference(
            layer,
            tuple(_changes(streams[0].get(layer), streams[1].get(layer))),
            (_busy(streams[0].get(layer)), _busy(streams[1].get(layer))),
        )
        for layer in layers
    )
    return Difference(tuple(_whole(one, other, any(row.changes for row in rows))), rows)


def _by_layer(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    layers: dict[str, list[dict[str, Any]]] = {}
    for command in found:
        layers.setdefault(command["layer"], []).append(command)
    return layers


def _busy(found: list[dict[str, Any]] | None) -> int:
    return sum(command["cycles"] for command in found or ())


def _changes(one: list[dict[str, Any]] | None, other: list[dict[str, Any]] | None) -> list[str]:
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
