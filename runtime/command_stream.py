"""The commands of a program to units and DMA, decoded, as a run without arithmetic issues them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.isa.encoding import disassemble
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.elf_reader import bytes_at
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.symbolizer import Symbolizer

if TYPE_CHECKING:
    from softex_mlir.isa_sim.records import RunResult

WIDTH = 120
"""Characters of a line."""

TRIGGER_BYTES = 4
"""Of the store that triggers a job: the log has the instruction behind it."""

MEASURED = ("launch", "id", "bytes", "stalled")
"""What a transfer's record holds beside its command."""


@dataclass(frozen=True)
class Wanted:
    """Which commands are wanted.

    Attributes:
        layer: words in the layer's name or title.
        unit: a unit's name, `dma_in` or `dma_out`.
        at: a layer's name, whole: the ONNX node's, or the place in MLIR.
        address: a byte of one of the command's buffers.
        pc: address of the instruction that triggers it, or of any other of the function that does.
        limit: the first so many.
    """

    layer: str | None = None
    unit: str | None = None
    at: str | None = None
    address: int | None = None
    pc: int | None = None
    limit: int | None = None


def commands(
    program: Program, wanted: Wanted | None = None, run: RunResult | None = None
) -> list[dict[str, Any]]:
    """The commands in the order of their start; `run` is one of the program, if there is one.

    Raises:
        UserError: nothing in the program has the unit or the layer that is wanted.
    """
    from softex_mlir.runtime import session

    wanted = wanted or Wanted()
    _check(program, wanted)
    if run is None:
        # Loops are rolled in the program: the stream is what a run without arithmetic issues.
        run = session.run(program, functional=False).run
    symbolizer = Symbolizer(program)
    found = sorted(
        [*_jobs(run, symbolizer, program), *_transfers(run, symbolizer)],
        key=lambda command: (command["start"], command["unit"]),
    )
    titles = _titles(program)
    issued = _issued_at(found, symbolizer, wanted.pc)
    buffers = None if wanted.address is None else _buffers(program, symbolizer, wanted.address)
    chosen = [
        command
        for command in found
        if (wanted.unit is None or command["unit"] == wanted.unit)
        and (wanted.at is None or wanted.at in (command["layer"], titles.get(command["layer"])))
        and (wanted.layer is None or _has(command["layer"], titles, wanted.layer))
        and (issued is None or issued(command))
        and (buffers is None or any(_of(buffers, value) for value in command["registers"].values()))
    ]
    return chosen[: wanted.limit]


def command_lines(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Commands for people: when, on what, how long, what, for which layer; then the registers."""
    for command in found:
        line = (
            f"{command['start']:>11,} {command['unit']:8} {command['cycles']:>7,}  "
            f"{command['shape']:24} {command['layer']}"
        )
        yield line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
        shown = {**command["registers"], "by": command["by"]}
        registers = "  ".join(f"{name}={value}" for name, value in shown.items())
        indent = " " * 12
        yield from textwrap.wrap(
            registers,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )


def code_place(program: Program, pc: int) -> dict[str, Any]:
    """What an address in the code is: function, instruction, kernel, stream, and the layers that
    launch it (none for the code around kernels).

    Raises:
        UserError: there is no instruction.
    """
    word = bytes_at([s for s in program.segments if s.executable], pc, 4)
    if word is None or pc % 4:
        raise UserError(f"--pc {pc:#x}: no instruction of the program")
    function = Symbolizer(program).function(pc)
    name = function.rpartition("+")[0]
    kernel, stream = next(
        (
            (kernel["name"], stream)
            for kernel in program.metadata["kernels"]
            for stream, symbol in kernel["functions"].items()
            if symbol == name
        ),
        (None, None),
    )
    launches = [launch for launch in program.metadata["launches"] if launch["kernel"] == kernel]
    return {
        "pc": pc,
        "function": function,
        "text": disassemble(int.from_bytes(word, "little"), pc),
        "kernel": kernel,
        "stream": stream,
        "layers": list(dict.fromkeys(launch["layer"] for launch in launches)),
    }


def place_lines(place: dict[str, Any]) -> list[str]:
    """What an address in the code is, for people."""
    layers = ", ".join(place["layers"])
    where = f"stream {place['stream']} of {place['kernel']}, launched for {layers}"
    line = f"{place['pc']:#010x} {place['function']}: {place['text']}"
    return [line, *textwrap.wrap(where, WIDTH, initial_indent="  ", subsequent_indent="  ")][
        : None if place["kernel"] else 1
    ]


def _issued_at(
    found: list[dict[str, Any]], symbolizer: Symbolizer, pc: int | None
) -> Callable[[dict[str, Any]], bool] | None:
    """Whether the code at an address issues a command."""
    if pc is None:
        return None
    if any(command["pc"] == pc for command in found):
        return lambda command: command["pc"] == pc
    function = symbolizer.function(pc).rpartition("+")[0]
    return lambda command: command["by"].partition("+")[0] == function


def _titles(program: Program) -> dict[str, str]:
    names = program.metadata.get("layers", {})
    return {layer: name.get("title", layer) for layer, name in names.items()}


def _has(layer: str, titles: dict[str, str], words: str) -> bool:
    return words in layer or words in titles.get(layer, "")


def _buffers(program: Program, symbolizer: Symbolizer, address: int) -> set[str]:
    """The names of the buffers that hold an address, one after the other."""
    found = {
        buffer["name"]
        for buffer in program.metadata["buffers"]
        if buffer["address"] <= address < buffer["address"] + buffer["bytes"]
    }
    if found:
        return found
    raise UserError(f"--addr {address:#x}: in no buffer ({symbolizer.buffer(address)})")


def _of(buffers: set[str], value: Any) -> bool:
    return isinstance(value, str) and value.rpartition("+")[0] in buffers


def _check(program: Program, wanted: Wanted) -> None:
    units = [unit.name for unit in registry.units_of(program.machine)] + ["dma_in", "dma_out"]
    if wanted.unit is not None and wanted.unit not in units:
        raise UserError(f"--unit {wanted.unit}: expected one of {', '.join(units)}")
    titles = _titles(program)
    layers = dict.fromkeys(launch["layer"] for launch in program.metadata["launches"])
    names = [*layers, *(titles.get(layer, layer) for layer in layers)]
    for option, asked, fits in (
        ("--at", wanted.at, wanted.at in names),
        ("--layer", wanted.layer, any(_has(layer, titles, wanted.layer or "") for layer in layers)),
    ):
        if asked is not None and not fits:
            some = ", ".join(list(layers)[:8])
            raise UserError(f"{option} {asked}: no such layer; there are {some}, …")


def _jobs(run: Any, symbolizer: Symbolizer, program: Program) -> list[dict[str, Any]]:
    units = registry.units_of(program.machine)
    commands: list[dict[str, Any]] = []
    for job in run.jobs:
        unit = units[int(job["unit"])]
        registers = unit.values(job["registers"])
        tp = int(job["tp"])
        commands.append(
            {
                "unit": unit.name,
                "start": int(job["start"]),
                "cycles": int(job["end"] - job["start"]),
                "layer": symbolizer.layer(tp),
                "pc": (pc := int(job["pc"]) - TRIGGER_BYTES),
                "by": symbolizer.function(pc),
                "shape": unit.describe(registers),
                "registers": {
                    key: symbolizer.buffer(value, tp) if key.endswith("ADDR") else f"{value:#x}"
                    for key, value in registers.items()
                },
                "values": registers,
            }
        )
    return commands


def _transfers(run: Any, symbolizer: Symbolizer) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = []
    for transfer in run.transfers:
        tp = int(transfer["tp"])
        values = {
            name: int(transfer[name])
            for name in transfer.dtype.names
            if name not in ("channel", "core", "start", "end", "tp", "pc")
        }
        commands.append(
            {
                "unit": ("dma_in", "dma_out")[transfer["channel"]],
                "start": int(transfer["start"]),
                "cycles": int(transfer["end"] - transfer["start"]),
                "layer": symbolizer.layer(tp),
                "pc": (pc := int(transfer["pc"])),
                "by": symbolizer.function(pc),
                "shape": f"{values['bytes']:,} bytes",
                "registers": {
                    key: symbolizer.buffer(value, tp) if key in ("source", "destination") else value
                    for key, value in values.items()
                    if key not in MEASURED
                },
                "values": values,
            }
        )
    return commands
