"""The note in a program's ELF file: what the ELF standard has no place for, as typed records.

The fields are the keys of the JSON. What `decode` returns is consistent in itself: its relations
were checked once, and nobody checks them again.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from math import prod
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from softex_mlir.abi import FORMAT_VERSION, NOTE_NAME

Word = Annotated[int, Meta(ge=0, lt=1 << 32)]
"""An address or a number of bytes or elements of a 32-bit machine."""
Size = Annotated[int, Meta(ge=1, lt=1 << 32)]
Count = Annotated[int, Meta(ge=0, lt=1 << 53)]
"""A sum over the program; exact in every JSON reader."""
Span = tuple[Count, Count]
Text = Annotated[str, Meta(max_length=1 << 16)]
Name = Annotated[str, Meta(min_length=1, max_length=1 << 16)]
Shape = Annotated[tuple[Size, ...], Meta(max_length=32)]
Stream = Literal["dma_in", "dma_out", "redmule", "compute"]
ElementType = Literal["bf16", "f32", "i32"]
ELEMENT_BYTES = {"bf16": 2, "f32": 4, "i32": 4}


class Record(msgspec.Struct, frozen=True):
    """One object of the note; keys that a later version added are ignored."""


class MachineRecord(Record, frozen=True):
    """The machine description the program was built for, whole; `hash` is that of its text."""

    name: str
    hash: str
    toml: str


class PortRecord(Record, frozen=True):
    """An input or output of the program (`abi.Port`)."""

    name: Name
    shape: Shape
    dtype: ElementType
    address: Word
    rows: Size
    columns: Size
    pitch_elements: Size
    limit: Size | None = None
    values: tuple[int, int] | None = None

    @property
    def bytes(self) -> int:
        """Bytes from the first element to the last, with the gaps between the rows."""
        elements = (self.rows - 1) * self.pitch_elements + self.columns
        return elements * ELEMENT_BYTES[self.dtype]


class RowsLayout(Record, frozen=True, tag_field="kind", tag="rows"):
    """A weight row by row, `pitch` elements apart."""

    pitch: Size


class TiledLayout(Record, frozen=True, tag_field="kind", tag="tiled"):
    """A weight as tiles of RedMulE jobs, `inner` x `columns`."""

    inner: Size
    columns: Size
    padded_shape: tuple[Size, Size]


class Weight(Record, frozen=True):
    """Where a weight lies; `name` is its name at the transformer level, None for a constant."""

    name: str | None
    symbol: str
    address: Word
    bytes: Word
    shape: Shape
    dtype: ElementType
    layout: RowsLayout | TiledLayout


class BufferRecord(Record, frozen=True, omit_defaults=True):
    """What lies where; a buffer in TCDM lives in one kernel, or in all (None).

    An activation in L2 lives from the first launch that names it to the last: `records` are the
    addresses of their launch records. Others may lie there before and after.
    """

    name: Text
    address: Word
    bytes: Word
    space: Literal["tcdm", "l2"]
    kernel: str | None
    records: tuple[Word, Word] | None = None


class LaunchRecord(Record, frozen=True, omit_defaults=True):
    """One launch, in the order of the table.

    `cycles` are predicted busy cycles a stream, `forecast` begin and end on each stream, `bytes`
    those moved in and out.
    """

    kernel: str
    layer: Text
    record_address: Word
    bases: tuple[int, int, int, int]
    args: dict[str, Word]
    operation: Text
    cycles: tuple[Count, Count, Count, Count]
    macs: Count
    forecast: tuple[Span, Span, Span, Span] | None = None
    bytes: tuple[Count, Count] | None = None


class KernelRecord(Record, frozen=True):
    """A kernel and the symbol of each stream's function."""

    name: Name
    functions: dict[Stream, Name]


class PlacementRecord(Record, frozen=True):
    """Where an operation executes, and why."""

    op: Text
    layer: Text
    unit: Text
    reason: Text


class LayerRecord(Record, frozen=True):
    """What a layer is called."""

    kind: Text
    title: Text


class SourceRecord(Record, frozen=True, omit_defaults=True):
    """The model that was compiled, and where it came from (`compiler.origin.Origin`)."""

    model: Text = ""
    kind: Text = ""
    name: Text = ""
    path: Text = ""
    sha256: Text = ""
    config: Text = ""
    sizes: Text = ""
    shapes: Text = ""
    bound: Text = ""


class EntryRecord(Record, frozen=True):
    """One of the things a program can do: where it starts, and what of the note is its own."""

    name: Name
    start: Word
    inputs: tuple[PortRecord, ...]
    outputs: tuple[PortRecord, ...]
    launches: tuple[LaunchRecord, ...]
    predicted_cycles: Count = 0


class Note(Record, frozen=True):
    """The whole note. A program with several entries has ports and launches in these, and those of
    the first beside them, without launches."""

    format: int
    machine: MachineRecord
    inputs: tuple[PortRecord, ...]
    outputs: tuple[PortRecord, ...]
    buffers: tuple[BufferRecord, ...]
    launches: tuple[LaunchRecord, ...]
    record_words: Annotated[int, Meta(ge=8, lt=1 << 16)]
    kernels: tuple[KernelRecord, ...]
    weights: tuple[Weight, ...] = ()
    layers: dict[str, LayerRecord] = {}
    placement: tuple[PlacementRecord, ...] = ()
    model: Text = ""
    source: SourceRecord = SourceRecord()
    predicted_cycles: Count = 0
    unread_macs: Count = 0
    entries: tuple[EntryRecord, ...] = ()
    states: tuple[PortRecord, ...] = ()
    """What keeps its contents between runs of the entries."""

    def as_dict(self) -> dict[str, Any]:
        """The checked note as what the JSON holds."""
        data = msgspec.to_builtins(self)
        if not self.entries:
            del data["entries"], data["states"]
        return data


class NoteError(ValueError):
    """A note that cannot be used; the text says why in one line."""


class _Versioned(msgspec.Struct):
    format: int


def decode(text: bytes) -> Note:
    """The note that the JSON says.

    Raises:
        NoteError: it is no JSON, of another format version, or its parts contradict each other.
    """
    try:
        version = msgspec.json.decode(text, type=_Versioned).format
        if version != FORMAT_VERSION:
            raise NoteError(
                f"program format {version}, this version reads {FORMAT_VERSION}; "
                "compile the model again"
            )
        note = msgspec.json.decode(text, type=Note)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise NoteError(f"the `{NOTE_NAME}` note is damaged: {error}") from error
    for problem in _contradictions(note):
        raise NoteError(f"the `{NOTE_NAME}` note is damaged: {problem}")
    return note


def _contradictions(note: Note) -> Iterator[str]:
    yield from _twice("state", [port.name for port in note.states])
    for port in note.states:
        yield from _port(f"state {port.name!r}", port)
    for weight in note.weights:
        yield from _weight(weight)
    yield from _twice("kernel", [kernel.name for kernel in note.kernels])
    kernels = {kernel.name for kernel in note.kernels}
    for buffer in note.buffers:
        if buffer.kernel is not None and buffer.kernel not in kernels:
            yield f"buffer {buffer.name!r} is of {buffer.kernel!r}, which is no kernel"
    yield from _twice("entry", [entry.name for entry in note.entries])
    for each in (note, *note.entries):
        yield from _runs(each, kernels, 4 * note.record_words)


def _runs(entry: Note | EntryRecord, kernels: Container[str], step: int) -> Iterator[str]:
    """What is wrong with the ports and the launches of an entry, or of a program without any."""
    for kind, ports in (("input", entry.inputs), ("output", entry.outputs)):
        yield from _twice(kind, [port.name for port in ports])
        for port in ports:
            yield from _port(f"{kind} {port.name!r}", port)
    for index, launch in enumerate(entry.launches):
        if launch.kernel not in kernels:
            yield f"launch {index} is of {launch.kernel!r}, which is no kernel"
        if launch.record_address != entry.launches[0].record_address + index * step:
            yield f"the record of launch {index} is not {step} bytes behind the one before"


def _twice(kind: str, names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"two {kind}s are named {name!r}"
        seen.add(name)


def _port(what: str, port: PortRecord) -> Iterator[str]:
    if prod(port.shape) != port.rows * port.columns:
        yield (
            f"{what} of shape {list(port.shape)} is stored as {port.rows} rows of {port.columns}"
        )
    if port.pitch_elements < port.columns:
        yield f"{what}: rows of {port.columns} elements are {port.pitch_elements} apart"
    size = ELEMENT_BYTES[port.dtype]
    if port.address % size:
        yield f"{what} lies at {port.address:#x}, no multiple of its elements' {size} bytes"
    if port.limit is not None and port.dtype != "i32":
        yield f"{what}: only integers have a limit"
    if port.values is not None and (port.dtype != "i32" or port.values[0] > port.values[1]):
        yield f"{what}: expected smallest and largest values of integers, found {port.values}"


def _weight(weight: Weight) -> Iterator[str]:
    what = f"weight {weight.symbol!r}"
    shape = weight.shape or (1,)
    if isinstance(weight.layout, RowsLayout):
        elements = prod(shape[:-1]) * weight.layout.pitch
        fits = weight.layout.pitch >= shape[-1]
    else:
        padded = weight.layout.padded_shape
        elements = prod(padded)
        fits = len(shape) == 2 and shape[0] <= padded[0] and shape[1] <= padded[1]
    if not fits:
        yield f"{what} of shape {list(weight.shape)} does not fit its layout"
    if elements * ELEMENT_BYTES[weight.dtype] != weight.bytes:
        yield (
            f"{what} takes {weight.bytes} bytes, its layout {elements} elements of {weight.dtype}"
        )
