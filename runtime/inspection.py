"""Views of a program: summary, command stream, code, memory, schedule.

Each view is an `Inspection`: text for people and the same content as JSON for programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from softex_mlir.runtime.command_stream import (
    Wanted,
    code_place,
    command_lines,
    commands,
    place_lines,
)
from softex_mlir.runtime.program import Program


@dataclass(frozen=True)
class Inspection:
    """One view of a program: `lines` for people, `data` for programs, its table as `rows`."""

    lines: tuple[str, ...]
    data: Any
    rows: tuple[Mapping[str, Any], ...]

    def to_text(self) -> str:
        """The view as text, ending in a newline."""
        return "\n".join(self.lines) + "\n"


def _summary(program: Program) -> Inspection:
    metadata = program.metadata
    machine = metadata["machine"]
    macs = sum(launch["macs"] for launch in metadata["launches"])
    unread = metadata.get("unread_macs", 0)
    data: dict[str, Any] = {
        "model": metadata.get("model", ""),
        "machine": {"name": machine["name"], "hash": machine["hash"]},
        "format": metadata["format"],
        "inputs": metadata["inputs"],
        "outputs": metadata["outputs"],
        "macs": macs,
        "unread_macs": unread,
        "kernels": len(metadata["kernels"]),
        "launches": len(metadata["launches"]),
        "segments": [
            {"address": s.address, "file_bytes": len(s.data), "memory_bytes": s.memory_bytes}
            for s in program.segments
        ],
    }
    lines = [
        f"model     {data['model']}",
        f"machine   {machine['name']} ({machine['hash'][:12]})",
        *(f"input     {_port(port)}" for port in metadata["inputs"]),
        *(f"output    {_port(port)}" for port in metadata["outputs"]),
        f"work      {macs / 1e6:,.2f} M multiply-accumulates"
        + (f", {(macs + unread) / 1e6:,.2f} M nominal" if unread else ""),
        f"kernels   {data['kernels']}, launched {data['launches']} times",
        *(
            f"segment   {s.address:#010x} {s.memory_bytes:>11,} bytes ({len(s.data):,} in the file)"
            for s in program.segments
        ),
    ]
    return Inspection(tuple(lines), data, tuple(data["segments"]))


def _port(port: Mapping[str, Any]) -> str:
    shape = "x".join(map(str, port["shape"]))
    return f"{port['name']}: {port['dtype']}[{shape}] at {port['address']:#010x}"


def _asm(program: Program) -> Inspection:
    from softex_mlir.isa_sim.isa.encoding import disassemble

    names: dict[int, list[str]] = {}
    for name, value in program.symbols.items():
        if name:
            names.setdefault(value, []).append(name)
    lines: list[str] = []
    functions: list[dict[str, Any]] = []
    for segment in program.segments:
        if not segment.executable:
            continue
        for offset in range(0, len(segment.data) - 3, 4):
            address = segment.address + offset
            for name in names.get(address, ()):
                lines += ["", f"{address:08x} <{name}>:"]
                functions.append({"name": name, "address": address, "instructions": []})
            word = int.from_bytes(segment.data[offset : offset + 4], "little")
            text = disassemble(word, address)
            lines.append(f"{address:08x}:  {word:08x}  {text}")
            if functions:
                functions[-1]["instructions"].append(
                    {"address": address, "word": word, "text": text}
                )
    rows = tuple(
        {"function": function["name"], **instruction}
        for function in functions
        for instruction in function["instructions"]
    )
    return Inspection(tuple(lines), {"functions": functions}, rows)


def _memory(program: Program) -> Inspection:
    buffers = program.metadata["buffers"]
    machine = program.machine.cluster
    lines = [f"TCDM {machine.tcdm_base:#010x}, {machine.tcdm_bytes:,} bytes, by kernel"]
    launches: dict[str, list[int]] = {}
    for index, launch in enumerate(program.metadata["launches"]):
        launches.setdefault(launch["kernel"], []).append(index)
    tcdm = [buffer for buffer in buffers if buffer["space"] == "tcdm"]
    for kernel, group in _by(tcdm, "kernel").items():
        used = launches.get(kernel or "", [])
        span = f"launches {used[0]}..{used[-1]} ({len(used)})" if used else "whole program"
        lines += ["", f"{kernel or '<resident>'}: {span}"]
        for buffer in sorted(group, key=lambda b: b["address"]):
            end = buffer["address"] + buffer["bytes"]
            lines.append(
                f"  {buffer['address']:#010x}..{end:#010x} {buffer['bytes']:>9,}  {buffer['name']}"
                f"  {_bar(buffer, machine.tcdm_base, machine.tcdm_bytes)}"
            )
    lines += ["", f"L2 {machine.l2_base:#010x}"]
    for buffer in sorted((b for b in buffers if b["space"] == "l2"), key=lambda b: b["address"]):
        lines.append(f"  {buffer['address']:#010x} {buffer['bytes']:>11,}  {buffer['name']}")
    data = {
        "buffers": [
            {**buffer, "launches": launches.get(buffer.get("kernel") or "", [])}
            for buffer in buffers
        ]
    }
    return Inspection(tuple(lines), data, tuple(data["buffers"]))


def _bar(buffer: Mapping[str, Any], base: int, size: int, width: int = 48) -> str:
    start = (buffer["address"] - base) * width // size
    end = max(start + 1, -(-(buffer["address"] + buffer["bytes"] - base) * width // size))
    return "|" + " " * start + "#" * (end - start) + " " * (width - end) + "|"


def _by(entries: Iterable[Mapping[str, Any]], key: str) -> dict[Any, list[Mapping[str, Any]]]:
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry.get(key), []).append(entry)
    return groups


def commands_view(program: Program, wanted: Wanted | None = None) -> Inspection:
    """The command stream, or the part of it that is wanted."""
    if wanted is None or wanted.pc is None:
        found = commands(program, wanted)
        return Inspection(tuple(command_lines(found)), {"commands": found}, tuple(found))
    place = code_place(program, wanted.pc)
    found = commands(program, wanted)
    lines = [*place_lines(place), *command_lines(found)]
    return Inspection(tuple(lines), {"place": place, "commands": found}, tuple(found))


def _schedule(program: Program) -> Inspection:
    from softex_mlir.runtime import session

    profile = session.run(program, functional=False).profile
    data = profile.to_json()["layers"]
    total = max(profile.cycles, 1)
    lines = [f"{'start':>12} {'cycles':>12} {'redmule':>12} {'predicted':>12}  timeline / layer"]
    for layer in profile.layers:
        start = layer.start * 40 // total
        end = max(start + 1, -(-layer.end * 40 // total))
        busy = layer.busy["redmule"]
        lines.append(
            f"{layer.start:>12,} {layer.cycles:>12,} {busy:>12,} {layer.predicted:>12,}  "
            f"|{' ' * start}{'#' * (end - start)}{' ' * (40 - end)}| {layer.name}"
        )
    return Inspection(tuple(lines), {"cycles": profile.cycles, "layers": data}, tuple(data))


VIEWS: dict[str, Callable[[Program], Inspection]] = {
    "summary": _summary,
    "commands": commands_view,
    "asm": _asm,
    "memory": _memory,
    "schedule": _schedule,
}
"""The views `softex inspect` offers, by name."""
