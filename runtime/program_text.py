"""A program as text: its code as instructions, its launch tables as operations.

The text is a module of level `riscv`, which `softex assemble` turns into the same file again. Code
and launches are decoded from the bytes of the file; its note gives names, and what is known of the
model. The weights, and the text of the model for `--check`, stay data beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xdsl.dialects.builtin import (
    DictionaryAttr,
    MemRefType,
    ModuleOp,
    StringAttr,
    bf16,
    f32,
    i8,
    i16,
    i32,
)
from xdsl.ir import Attribute, Operation

from softex_mlir import abi
from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.backend.disassembler import Extent, Word, disassemble, words_of
from softex_mlir.compiler.backend.link import END, TABLE, link, suffix
from softex_mlir.compiler.backend.print_assembly import assembly
from softex_mlir.compiler.origin import ATTRIBUTE
from softex_mlir.compiler.weights import TRANSFORMER, WeightStore
from softex_mlir.dialects.cluster import EntriesOp, GlobalOp, LaunchOp, ScheduleOp, SourceOp
from softex_mlir.dialects.cluster_attributes import AddressAttr, GlobalKind, StreamKind
from softex_mlir.dialects.memory import L2Space, TcdmSpace
from softex_mlir.dialects.target import set_machine
from softex_mlir.errors import UserError
from softex_mlir.runtime.elf_reader import bytes_at
from softex_mlir.runtime.embedded import embedded_weights
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.register_comments import Commenter
from softex_mlir.runtime.symbolizer import Symbolizer

_ELEMENTS = {"bf16": (bf16, 2), "f32": (f32, 4), "i32": (i32, 4)}


@dataclass(frozen=True)
class ProgramText:
    """A program taken apart; `module` is made anew from its bytes."""

    program: Program

    @cached_property
    def module(self) -> ModuleOp:
        """The program at level `riscv`.

        Raises:
            UserError: assembling it would give another file: the program is of another version, or
                was changed in a way that its note contradicts.
        """
        made = self._make()
        if link_text(made, self.weights, self.program.transformer) != self.program.elf:
            name = self.program.path or "the program"
            raise UserError(
                f"{name}: cannot be written as text without loss: expected a file as this version "
                "of `softex compile` writes it, found another: compile the model again"
            )
        return made

    @cached_property
    def weights(self) -> WeightStore:
        """The weights in the program's file, and the text of its model."""
        store = WeightStore(embedded_weights(self.program))
        if self.program.transformer is not None:
            store.texts[TRANSFORMER] = self.program.transformer
        return store

    @property
    def name(self) -> str:
        """The model's name."""
        return self.program.metadata.get("model", "")

    def _make(self) -> ModuleOp:
        note = self.program.metadata
        module = ModuleOp([])
        module.attributes |= _heading(note)
        set_machine(module, self.program.machine)
        body: list[Operation] = [*self._globals(), *self._entries(), *self.code()]
        body += self._schedules()
        if note["source"].get("model") is not None and self.program.transformer is not None:
            layers = [{"name": name, **row} for name, row in note["layers"].items()]
            source = SourceOp(note["model"], "", note["placement"], layers, note["unread_macs"])
            body.append(source)
        module.body.block.add_ops(body)
        return module

    # region Code

    @cached_property
    def words(self) -> list[Word]:
        """The instructions of the file."""
        segments = [segment for segment in self.program.segments if segment.executable]
        if len(segments) != 1:
            raise UserError(f"expected one segment of code, found {len(segments)}")
        return words_of(segments[0].data, segments[0].address)

    @cached_property
    def functions(self) -> list[Extent]:
        """The functions in the code, by its symbols."""
        if not self.words:
            return []
        base, end = self.words[0].address, self.words[-1].address + 4
        found = sorted(
            ((a, name) for name, a in self.program.symbols.items() if name and base <= a < end),
            key=lambda symbol: symbol[0],
        )
        if not found or found[0][0] != base:
            raise UserError("expected a symbol at the start of the code, found none")
        ends = [*(address for address, _ in found[1:]), end]
        return [Extent(name, start, stop) for (start, name), stop in zip(found, ends, strict=True)]

    def comments(self) -> dict[int, str]:
        """What accesses to units mean, by the address of the instruction."""
        symbolizer = Symbolizer(self.program)
        kernels = {
            function: kernel["name"]
            for kernel in self.program.metadata["kernels"]
            for function in kernel["functions"].values()
        }
        records = {launch["kernel"]: launch["record_address"] for _, launch in self._launches()}
        found: dict[int, str] = {}
        for function in self.functions:
            record = records.get(kernels.get(function.name, ""))
            commenter = Commenter(
                self.program.machine, lambda a, tp=record: symbolizer.buffer(a, tp)
            )
            code = [(w.address, w.decoded) for w in self.words_in(function)]
            found.update(commenter.comments(code))
        return found

    def words_in(self, function: Extent) -> list[Word]:
        """The instructions of a function."""
        base = self.words[0].address
        return self.words[(function.start - base) // 4 : (function.end - base) // 4]

    def code(self) -> list[Operation]:
        """The functions as operations."""
        names: dict[int, str] = {}
        for entry, launches in self._tables():
            table = f"{TABLE}{suffix(entry)}"
            start = self.program.symbols[table]
            names[start] = table
            names[start + self._record_bytes * len(launches)] = f"{table}{END}"
        return [*disassemble(self.words, self.functions, names, self.comments())]

    # endregion
    # region Launches

    @property
    def _record_bytes(self) -> int:
        return 4 * self.program.metadata["record_words"]

    def _tables(self) -> Iterator[tuple[str | None, list[dict[str, Any]]]]:
        """Name and launches, as the note has them, of each entry."""
        note = self.program.metadata
        for entry in note.get("entries") or [note]:
            yield entry.get("name"), entry["launches"]

    def _launches(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        for entry, launches in self._tables():
            for launch in launches:
                yield entry, launch

    def _record(self, launch: Mapping[str, Any]) -> tuple[int, ...]:
        """The words of a launch record, from the file's bytes."""
        address, size = launch["record_address"], self._record_bytes
        data = bytes_at(self.program.segments, address, size)
        if data is None:
            raise UserError(f"launch record {address:#x}: lies outside the file's segments")
        return struct.unpack(f"<{size // 4}I", data)

    def _schedules(self) -> Iterator[ScheduleOp]:
        note = self.program.metadata
        symbols = {address: name for name, address in self._ports_by_symbol()}
        for entry, launches in self._tables():
            data = note if entry is None else self.program.at(entry).metadata
            ports = [symbols[p["address"]] for p in (*data["inputs"], *data["outputs"])]
            operations = [self._launch(launch) for launch in launches]
            yield ScheduleOp(operations, data["predicted_cycles"], entry, ports)

    def _launch(self, launch: Mapping[str, Any]) -> LaunchOp:
        words = self._record(launch)
        arguments = words[abi.ARGUMENT_WORD : abi.ARGUMENT_WORD + len(launch["args"])]
        forecast = launch.get("forecast")
        return LaunchOp(
            self._kernel_of(words[: len(abi.STREAMS)], launch),
            [self._argument(word, launch["record_address"]) for word in arguments],
            [signed32(word) for word in words[abi.BASE_WORD : abi.ARGUMENT_WORD]],
            launch["layer"],
            operation=launch["operation"],
            cycles=launch["cycles"],
            macs=launch["macs"],
            spans=None if forecast is None else [time for span in forecast for time in span],
            moved=launch.get("bytes"),
        )

    @cached_property
    def _kernels(self) -> dict[tuple[int, ...], str]:
        """Kernels by the addresses of their functions, as they are in launch records."""
        symbols = self.program.symbols
        return {
            tuple(symbols[f] if (f := k["functions"].get(s)) else 0 for s in abi.STREAMS): k["name"]
            for k in self.program.metadata["kernels"]
        }

    def _kernel_of(self, functions: tuple[int, ...], launch: Mapping[str, Any]) -> str:
        if functions not in self._kernels:
            shown = ", ".join(f"{address:#x}" for address in functions)
            raise UserError(
                f"launch record {launch['record_address']:#x}: its functions {shown} are of no "
                "kernel"
            )
        return self._kernels[functions]

    def _argument(self, word: int, record: int) -> AddressAttr | int:
        """A word of a launch: a place in an object that lives then, or a number."""
        found = self._symbolizer.object_at(word, record)
        if found is None:
            return signed32(word)
        return AddressAttr(found["name"], word - found["address"])

    @cached_property
    def _symbolizer(self) -> Symbolizer:
        return Symbolizer(self.program)

    # endregion
    # region Memory

    def _ports_by_symbol(self) -> Iterator[tuple[str, int]]:
        """The objects that are no activations, with their addresses."""
        for buffer in self.program.metadata["buffers"]:
            if buffer["space"] == "l2" and "records" not in buffer:
                yield buffer["name"], buffer["address"]

    def _globals(self) -> Iterator[GlobalOp]:
        note = self.program.metadata
        runs = note.get("entries") or [note]
        ports = {
            port["address"]: (kind, port)
            for run in runs
            for kind, key in ((GlobalKind.INPUT, "inputs"), (GlobalKind.OUTPUT, "outputs"))
            for port in run[key]
        }
        ports |= {port["address"]: (GlobalKind.STATE, port) for port in note.get("states", ())}
        weights = {weight["symbol"]: weight for weight in note["weights"]}
        for buffer in note["buffers"]:
            name = buffer["name"]
            if buffer["space"] == "tcdm":
                if buffer["kernel"] is None:
                    yield self._constant(buffer)
            elif name in weights:
                yield _weight(weights[name])
            elif "records" not in buffer and buffer["address"] in ports:
                yield _port(buffer, *ports[buffer["address"]])
            else:
                shares = "records" in buffer
                kind = GlobalKind.TEMPORARY if shares else GlobalKind.ACTIVATION
                type_ = MemRefType(i8, [buffer["bytes"]], memory_space=L2Space())
                yield GlobalOp(name, type_, kind)

    def _constant(self, buffer: Mapping[str, Any]) -> GlobalOp:
        count = buffer["bytes"] // 2
        data = bytes_at(self.program.segments, buffer["address"], buffer["bytes"])
        if data is None:
            raise UserError(f"constant {buffer['name']}: lies outside the file's segments")
        return GlobalOp(
            buffer["name"],
            MemRefType(i16, [count], memory_space=TcdmSpace()),
            GlobalKind.CONSTANT,
            offset=buffer["address"] - self.program.machine.cluster.tcdm_base,
            bits=struct.unpack(f"<{count}H", data),
        )

    def _entries(self) -> Iterator[EntriesOp]:
        note = self.program.metadata
        base = self.program.machine.cluster.tcdm_base
        for kernel in note["kernels"]:
            name = kernel["name"]
            buffers = {
                b["name"]: (b["address"] - base, b["bytes"])
                for b in note["buffers"]
                if b["kernel"] == name
            }
            functions = {StreamKind(s): f for s, f in kernel["functions"].items()}
            yield EntriesOp(name, functions, buffers, [])

    # endregion


def link_text(module: ModuleOp, weights: WeightStore, transformer: str | None) -> bytes:
    """The file that a module of a program's text becomes."""
    whole = module.clone()
    for op in whole.ops:
        if isinstance(op, SourceOp) and transformer is not None:
            op.properties["text"] = StringAttr(transformer)
    return link(whole, assembly(whole), weights)


def _heading(note: Mapping[str, Any]) -> dict[str, Attribute]:
    """What a module says about the model's source."""
    entries = {name: StringAttr(v) for name, v in note["source"].items() if name != "model"}
    return {ATTRIBUTE: DictionaryAttr(entries)} if entries else {}


def _weight(weight: Mapping[str, Any]) -> GlobalOp:
    element, size = _ELEMENTS[weight["dtype"]]
    count, layout = weight["bytes"] // size, weight["layout"]
    tiles = (layout["inner"], layout["columns"]) if layout["kind"] == "tiled" else None
    rows = 1 if tiles else count // layout["pitch"]
    return GlobalOp(
        weight["symbol"],
        MemRefType(element, [rows, count // rows], memory_space=L2Space()),
        GlobalKind.WEIGHT,
        tensor=weight["name"],
        shape=weight["shape"],
        tiles=tiles,
    )


def _port(buffer: Mapping[str, Any], kind: GlobalKind, port: Mapping[str, Any]) -> GlobalOp:
    element, size = _ELEMENTS[port["dtype"]]
    if kind is GlobalKind.STATE:
        type_ = MemRefType(element, port["shape"], memory_space=L2Space())
        return GlobalOp(buffer["name"], type_, kind)
    pitch = port["pitch_elements"]
    return GlobalOp(
        buffer["name"],
        MemRefType(element, [buffer["bytes"] // (size * pitch), pitch], memory_space=L2Space()),
        kind,
        tensor=port["name"],
        shape=port["shape"],
        limit=port["limit"],
        values=None if (values := port.get("values")) is None else (values[0], values[1]),
    )
