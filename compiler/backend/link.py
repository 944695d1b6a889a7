"""
Linking: where everything lies in memory, the table of launches, and the program's note.

L2, from its base: code, launch records, weights, then activations and ports (zeros, not in the
file). TCDM: the constants that kernels refer to.

A program with several entries has a start and a table of launches for each; they share everything
else. An entry starts from a cluster after reset whose L2 is as the entry before has left it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, SymbolRefAttr

from softex_mlir import abi
from softex_mlir.abi import Port
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.artifacts import CompiledEntry, CompiledModule, LinkError, operations
from softex_mlir.compiler.backend.assembler import Assembly, assemble
from softex_mlir.compiler.backend.boot import START, boot_assembly
from softex_mlir.compiler.backend.elf import ElfSymbol, Section, note, write_elf
from softex_mlir.compiler.backend.share_memory import share_memory
from softex_mlir.compiler.origin import origin_of
from softex_mlir.dialects.cluster import (
    STREAMS,
    AddressAttr,
    EntriesOp,
    GlobalOp,
    LaunchOp,
    SourceOp,
)
from softex_mlir.dialects.cluster_attributes import GlobalKind
from softex_mlir.dialects.memory import footprint_bytes, in_tcdm

ALIGNMENT = 64
"""Bytes; of every object in L2."""
TABLE, END = "launch_table", ".end"
"""Symbol of the first launch record, and what the symbol of the one behind the last ends with."""


@dataclass
class Layout:
    """Addresses of a program."""

    code: Assembly
    starts: list[int]
    """Where each entry starts."""
    tables: list[int]
    """Each entry's launch records."""
    record_bytes: int
    globals: dict[str, tuple[int, int]] = field(
        default_factory=lambda: dict[str, tuple[int, int]]()
    )
    """Address and bytes of each global in L2."""
    weights: tuple[int, int] = (0, 0)
    zeros: tuple[int, int] = (0, 0)


def align(address: int) -> int:
    """The next aligned address."""
    return round_up(address, ALIGNMENT)


def suffix(entry: str | None) -> str:
    """What symbols of an entry end with."""
    return "" if entry is None else f".{entry}"


def _table_bytes(entry: CompiledEntry, record: int) -> int:
    return align(record * (len(entry.launches) + 1))


def _tables(compiled: CompiledModule, end: int, record: int) -> list[int]:
    """Where each entry's launch records lie, behind code that ends somewhere."""
    addresses = [align(end)]
    for entry in compiled.entries[:-1]:
        addresses.append(addresses[-1] + _table_bytes(entry, record))
    return addresses


def _has_start(compiled: CompiledModule, kernels: str) -> bool:
    """Whether the text has the start code of all entries: a program decoded into text does."""
    missing = [
        name
        for entry in compiled.entries
        if f"\n{(name := START + suffix(entry.name))}:\n" not in kernels
    ]
    if missing and len(missing) < len(compiled.entries):
        raise LinkError(f"expected start code of all entries or of none, found no {missing[0]}")
    return not missing


def _with_start(
    compiled: CompiledModule, kernels: str, record: int
) -> tuple[Assembly, list[int], list[int]]:
    """All code, where each entry starts, and its launch records; the text has all code."""
    base = compiled.machine.cluster.l2_base

    def code(tables: Sequence[int]) -> Assembly:
        symbols: dict[str, int] = {}
        for entry, table in zip(compiled.entries, tables, strict=True):
            symbols[f"{TABLE}{suffix(entry.name)}"] = table
            symbols[f"{TABLE}{suffix(entry.name)}{END}"] = table + record * len(entry.launches)
        return assemble(kernels, base, symbols)

    # The code's size does not depend on the addresses of the tables.
    size = len(code([base] * len(compiled.entries)).code)
    tables = _tables(compiled, base + size, record)
    final = code(tables)
    return final, [final.address_of(START + suffix(e.name)) for e in compiled.entries], tables


def _without_start(
    compiled: CompiledModule, kernels: str, record: int
) -> tuple[Assembly, list[int], list[int]]:
    """As `_with_start`, of a text with the kernels alone."""

    def boot(base: int, entry: CompiledEntry, table: int) -> Assembly:
        count = len(entry.launches)
        text = boot_assembly(compiled.machine, table, record, count, START + suffix(entry.name))
        return assemble(text, base)

    base = compiled.machine.cluster.l2_base
    sizes = [len(boot(0, entry, 0).code) for entry in compiled.entries]
    body = assemble(kernels, base + sum(sizes))
    starts = [base + sum(sizes[:i]) for i in range(len(sizes))]
    tables = _tables(compiled, body.base + len(body.code), record)
    parts = [*map(boot, starts, compiled.entries, tables), body]
    code = Assembly(
        base,
        b"".join(part.code for part in parts),
        tuple(symbol for part in parts for symbol in part.symbols),
    )
    return code, starts, tables


def lay_out(compiled: CompiledModule, kernels: str) -> Layout:
    """Assemble code and give every object its address."""
    cluster = compiled.machine.cluster
    arguments = max((len(launch.arguments) for launch in compiled.launches), default=0)
    record = 4 * (abi.ARGUMENT_WORD + arguments)
    assembled = _without_start if not _has_start(compiled, kernels) else _with_start
    code, starts, tables = assembled(compiled, kernels, record)
    address = tables[-1] + _table_bytes(compiled.entries[-1], record)
    layout = Layout(code, starts, tables, record)
    images = {image.symbol: image.bytes for image in compiled.weights}
    objects = {
        op.sym_name.data: op for op in operations(compiled.module, GlobalOp) if not in_tcdm(op.type)
    }
    start = address
    for symbol, size in images.items():
        layout.globals[symbol] = (address, size)
        address = align(address + size)
    layout.weights = (start, address - start)
    start = address
    temporaries: dict[str, int] = {}
    for symbol, op in objects.items():
        if symbol in images:
            continue
        size = footprint_bytes(op.type)
        if op.kind.data is GlobalKind.TEMPORARY:
            temporaries[symbol] = align(size)
            continue
        layout.globals[symbol] = (address, size)
        address = align(address + size)
    # No temporary outlives an entry: those of one may lie over another's.
    shared = 0
    for entry in compiled.entries:
        named = _named(entry)
        mine = {symbol: size for symbol, size in temporaries.items() if symbol in named}
        offsets, size = share_memory(mine, entry.launches)
        for (symbol, bytes_), offset in zip(mine.items(), offsets, strict=True):
            layout.globals[symbol] = (address + offset, bytes_)
        shared = max(shared, size)
    address += shared
    layout.zeros = (start, address - start)
    limit = cluster.l2_base + cluster.l2_bytes
    if address > limit:
        raise LinkError(
            f"the program needs {address - cluster.l2_base} bytes of L2, the machine "
            f"'{compiled.machine.name}' has {cluster.l2_bytes}: enlarge cluster.l2_bytes"
        )
    return layout


def _named(entry: CompiledEntry) -> set[str]:
    """The objects that an entry's launches name."""
    words = (word for launch in entry.launches for word in launch.words())
    return {word.global_name for word in words if isinstance(word, AddressAttr)}


def resolve(layout: Layout, word: AddressAttr | int, launch: LaunchOp) -> int:
    """The value of an argument of a launch."""
    if isinstance(word, int):
        return word & 0xFFFFFFFF
    place = layout.globals.get(word.global_name)
    if place is None:
        message = f"a launch refers to @{word.global_name}, which is no object in L2"
        raise LinkError(message, launch)
    return place[0] + word.byte_offset


def entries_of(compiled: CompiledModule) -> dict[str, dict[str, str]]:
    """Function of each stream of each kernel."""
    kernels: dict[str, dict[str, str]] = {}
    for op in operations(compiled.module, EntriesOp):
        functions: dict[str, str] = {}
        for stream, symbol in op.functions.data.items():
            assert isinstance(symbol, SymbolRefAttr)
            functions[stream] = symbol.root_reference.data
        kernels[op.sym_name.data] = functions
    return kernels


def launch_table(compiled: CompiledModule, entry: CompiledEntry, layout: Layout) -> bytes:
    """The launch records of an entry, and one of zeros."""
    addresses = {symbol.name: symbol.address for symbol in layout.code.symbols}
    kernels = entries_of(compiled)
    table = bytearray()
    for launch in entry.launches:
        kernel = launch.kernel.root_reference.data
        if kernel not in kernels:
            raise LinkError(f"a launch of @{kernel}, which has no functions", launch)
        functions = kernels[kernel]
        missing = [name for name in functions.values() if name not in addresses]
        if missing:
            message = f"kernel @{kernel} refers to @{missing[0]}, which is no function"
            raise LinkError(message, launch)
        words = [addresses[functions[s.value]] if s.value in functions else 0 for s in STREAMS]
        words += [base & 0xFFFFFFFF for base in launch.bases.get_values()]
        words += [resolve(layout, word, launch) for word in launch.words()]
        table += struct.pack(f"<{len(words)}I", *words).ljust(layout.record_bytes, b"\0")
    return bytes(table) + bytes(layout.record_bytes)


def placed(port: Port, layout: Layout) -> dict[str, Any]:
    """An input or output for the note."""
    return replace(port, address=layout.globals[port.symbol][0]).to_json()


def buffer_places(op: EntriesOp) -> list[tuple[str, tuple[int, int]]]:
    """Name, offset in the TCDM and bytes of each buffer of a kernel."""
    result: list[tuple[str, tuple[int, int]]] = []
    for name, place in op.buffers.data.items():
        offset, size = (v.value.data for v in cast(ArrayAttr[IntegerAttr], place))
        result.append((name, (offset, size)))
    return result


def _records(compiled: CompiledModule, layout: Layout) -> dict[str, list[int]]:
    """The first and the last launch record that names each temporary: it lives meanwhile."""
    temporaries = {
        op.sym_name.data
        for op in operations(compiled.module, GlobalOp)
        if op.kind.data is GlobalKind.TEMPORARY
    }
    found: dict[str, list[int]] = {}
    for entry, table in zip(compiled.entries, layout.tables, strict=True):
        for i, launch in enumerate(entry.launches):
            for word in launch.words():
                if isinstance(word, AddressAttr) and word.global_name in temporaries:
                    address = table + i * layout.record_bytes
                    found.setdefault(word.global_name, [address, address])[1] = address
    return found


def buffers(compiled: CompiledModule, layout: Layout) -> list[dict[str, Any]]:
    """Memory map: what lies where, for the tools that name addresses."""
    records = _records(compiled, layout)
    result: list[dict[str, Any]] = [
        {"name": name, "address": address, "bytes": size, "space": "l2", "kernel": None}
        | ({"records": records[name]} if name in records else {})
        for name, (address, size) in layout.globals.items()
    ]
    base = compiled.machine.cluster.tcdm_base
    for op in operations(compiled.module, GlobalOp):
        if in_tcdm(op.type) and op.offset is not None:
            result.append(
                {
                    "name": op.sym_name.data,
                    "address": base + op.offset.value.data,
                    "bytes": footprint_bytes(op.type),
                    "space": "tcdm",
                    "kernel": None,
                }
            )
    for op in operations(compiled.module, EntriesOp):
        for name, (offset, size) in buffer_places(op):
            result.append(
                {
                    "name": name,
                    "address": base + offset,
                    "bytes": size,
                    "space": "tcdm",
                    "kernel": op.sym_name.data,
                }
            )
    return result


def _forecast(launch: LaunchOp) -> dict[str, Any]:
    """What the scheduler expects of a launch: begin and end on each stream, bytes moved."""
    if launch.spans is None or launch.moved is None:
        return {}
    spans = [*launch.spans.get_values()]
    return {
        "forecast": [spans[i : i + 2] for i in range(0, len(spans), 2)],
        "bytes": [*launch.moved.get_values()],
    }


def _entry_json(compiled: CompiledModule, number: int, layout: Layout) -> dict[str, Any]:
    """What the note says of an entry."""
    compiled_entry = compiled.entries[number]
    launches: list[dict[str, Any]] = []
    for i, launch in enumerate(compiled_entry.launches):
        kernel = launch.kernel.root_reference.data
        layer = launch.layer.data if launch.layer is not None else ""
        entry: dict[str, Any] = {
            "kernel": kernel,
            "layer": layer,
            "record_address": layout.tables[number] + i * layout.record_bytes,
            "bases": list(launch.bases.get_values()),
            "args": {
                str(k): resolve(layout, word, launch) for k, word in enumerate(launch.words())
            },
            "operation": kernel if launch.operation is None else launch.operation.data,
            "cycles": [*launch.cycles.get_values()] if launch.cycles else [0] * len(STREAMS),
            "macs": 0 if launch.macs is None else launch.macs.value.data,
            **_forecast(launch),
        }
        launches.append(entry)
    return {
        "inputs": [placed(port, layout) for port in compiled_entry.inputs],
        "outputs": [placed(port, layout) for port in compiled_entry.outputs],
        "launches": launches,
        "predicted_cycles": compiled_entry.predicted_cycles,
    }


def metadata(compiled: CompiledModule, layout: Layout) -> dict[str, Any]:
    """The program's note: everything about it that ELF has no place for."""
    machine = compiled.machine
    entries = [_entry_json(compiled, number, layout) for number in range(len(compiled.entries))]
    several: dict[str, Any] = {}
    if compiled.entries[0].name is not None:
        several["entries"] = [
            {"name": entry.name, "start": layout.starts[number], **entries[number]}
            for number, entry in enumerate(compiled.entries)
        ]
        several["states"] = [placed(port, layout) for port in compiled.states]
        entries[0] = {**entries[0], "launches": []}
    source = SourceOp("", "", (), ()) if compiled.source is None else compiled.source
    return {
        "format": abi.FORMAT_VERSION,
        "machine": {"name": machine.name, "hash": machine.hash, "toml": machine.to_toml()},
        "model": source.model.data,
        "source": {
            **({} if compiled.source is None else {"model": source.model.data}),
            **origin_of(compiled.module),
        },
        "inputs": entries[0]["inputs"],
        "outputs": entries[0]["outputs"],
        "weights": [
            {
                "name": image.name,
                "symbol": image.symbol,
                "address": layout.globals[image.symbol][0],
                "bytes": image.bytes,
                "shape": list(image.shape),
                "dtype": image.dtype,
                "layout": image.layout.to_json(),
            }
            for image in compiled.weights
        ],
        "buffers": buffers(compiled, layout),
        "launches": entries[0]["launches"],
        "record_words": layout.record_bytes // 4,
        "kernels": [
            {"name": name, "functions": functions}
            for name, functions in entries_of(compiled).items()
        ],
        "layers": {
            row["name"]: {"kind": row["kind"], "title": row["title"]} for row in source.named
        },
        "unread_macs": source.unread_macs.value.data,
        "placement": source.placed,
        "predicted_cycles": entries[0]["predicted_cycles"],
        **several,
    }


def tcdm_image(compiled: CompiledModule) -> tuple[int, bytes] | None:
    """Address and contents of the constants in the TCDM."""
    places: list[tuple[int, bytes]] = []
    for op in operations(compiled.module, GlobalOp):
        if in_tcdm(op.type):
            if op.offset is None:
                raise LinkError(f"the TCDM constant @{op.sym_name.data} has no place")
            bits = op.bit_patterns()
            places.append((op.offset.value.data, struct.pack(f"<{len(bits)}H", *bits)))
    if not places:
        return None
    start = min(offset for offset, _ in places)
    image = bytearray(max(offset + len(data) for offset, data in places) - start)
    for offset, data in places:
        image[offset - start : offset - start + len(data)] = data
    return compiled.machine.cluster.tcdm_base + start, bytes(image)


def link(module: ModuleOp, kernels: str, weights: Mapping[str, Any]) -> bytes:
    """
    The executable.

    `kernels` is the assembly of all kernels' functions, `weights` maps the names of weights to
    arrays.

    Raises:
        LinkError: the program does not fit the machine, or something in it has no place.
    """
    compiled = CompiledModule.of(module)
    layout = lay_out(compiled, kernels)
    code = layout.code
    sections = [Section(".text", [code.code], code.base, executable=True)]
    tables: list[ElfSymbol] = []
    for entry, address in zip(compiled.entries, layout.tables, strict=True):
        table = launch_table(compiled, entry, layout)
        end = suffix(entry.name)
        sections.append(Section(f".launches{end}", [table], address))
        tables.append(ElfSymbol(f"{TABLE}{end}", address, len(table), f".launches{end}", False))
    pieces: list[bytes | memoryview] = []
    for image in compiled.weights:
        data = image.pack(weights)
        pieces += [data, bytes(align(len(data)) - len(data))]
    if pieces:
        sections.append(Section(".weights", pieces, layout.weights[0]))
    start, size = layout.zeros
    if size:
        sections.append(Section(".bss", [], start, memory_bytes=size, writable=True))
    if (image := tcdm_image(compiled)) is not None:
        # The loader expects segments in the order of their addresses, and the TCDM is below L2.
        sections.insert(0, Section(".tcdm", [image[1]], image[0], writable=True))
    contents = json.dumps(metadata(compiled, layout), separators=(",", ":")).encode()
    entry = note(abi.NOTE_NAME, abi.NOTE_KIND, contents)
    sections.append(Section(abi.NOTE_SECTION, [entry], is_note=True))
    if compiled.source is not None:
        text = compiled.source.text.data.encode()
        sections.append(Section(abi.TRANSFORMER_SECTION, [text]))
    symbols = [ElfSymbol(s.name, s.address, s.size, ".text", s.is_function) for s in code.symbols]
    symbols += tables
    packed = {image.symbol for image in compiled.weights}
    for name, (address, size) in layout.globals.items():
        section = ".weights" if name in packed else ".bss"
        symbols.append(ElfSymbol(name, address, size, section, False))
    return write_elf(layout.starts[0], sections, symbols)
