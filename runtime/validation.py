"""Whether a program fits the machine it says it was built for: checked once, when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine, MachineError

if TYPE_CHECKING:
    from softex_mlir.isa_sim.baremetal.elf import Segment
    from softex_mlir.note import Note, PortRecord

_Span = tuple[int, int]
"""First address and the one behind the last."""


def machine_of(note: Note) -> Machine:
    """The machine of a note.

    Raises:
        UserError: its description cannot be used, or is not the one whose hash the note has.
    """
    try:
        machine = Machine.from_toml(note.machine.toml, "its machine description")
    except MachineError as error:
        raise UserError(str(error)) from error
    # Of the text as it stands: a field that came later changes the machine's own hash.
    found = hashlib.sha256(note.machine.toml.encode()).hexdigest()
    if (machine.name, found) != (note.machine.name, note.machine.hash):
        raise UserError(
            f"its machine description is of {machine.name!r} ({found[:12]}), "
            f"not of {note.machine.name!r} ({note.machine.hash[:12]}) as its note says"
        )
    return machine


def check(note: Note, machine: Machine, segments: tuple[Segment, ...], entry: int) -> None:
    """Find out whether every address of a program is in the memory it has to be in.

    Raises:
        UserError: one is not; the text names it.
    """
    for problem in _problems(note, machine, segments, entry):
        raise UserError(problem)


def _problems(
    note: Note, machine: Machine, segments: tuple[Segment, ...], entry: int
) -> Iterator[str]:
    cluster = machine.cluster
    spaces: dict[str, _Span] = {
        "tcdm": (cluster.tcdm_base, cluster.tcdm_base + cluster.tcdm_bytes),
        "l2": (cluster.l2_base, cluster.l2_base + cluster.l2_bytes),
    }
    memories = f"TCDM [{_text(spaces['tcdm'])}) or L2 [{_text(spaces['l2'])})"
    loaded = sorted((s.address, s.address + s.memory_bytes) for s in segments if s.memory_bytes)
    for span in loaded:
        if not any(_inside(span, space) for space in spaces.values()):
            yield f"the segment at {_text(span)} is neither in {memories}"
    for one, other in pairwise(loaded):
        if one[1] > other[0]:
            yield f"the segments at {_text(one)} and {_text(other)} overlap"
    code = [(s.address, s.address + s.memory_bytes) for s in segments if s.executable]
    for span in code:
        if not _inside(span, spaces["l2"]):
            yield f"the code at {_text(span)} is not in L2 [{_text(spaces['l2'])})"
    for start in (entry, *(each.start for each in note.entries)):
        if start % 2 or not any(_inside((start, start + 2), span) for span in code):
            yield f"the entry point {start:#010x} is no address of an instruction in its code"
    for port in _ports(note):
        span = (port.address, port.address + port.bytes)
        if not any(_inside(span, space) for space in spaces.values()):
            yield f"{port.name!r} at {_text(span)} is neither in {memories}"
    for buffer in note.buffers:
        span = (buffer.address, buffer.address + buffer.bytes)
        if not _inside(span, spaces[buffer.space]):
            yield f"buffer {buffer.name!r} at {_text(span)} is not in {buffer.space.upper()}"
    filled = [(s.address, s.address + len(s.data)) for s in segments]
    for weight in note.weights:
        span = (weight.address, weight.address + weight.bytes)
        if not any(_inside(span, piece) for piece in filled):
            yield f"weight {weight.symbol!r} at {_text(span)} is in no segment's data"


def _ports(note: Note) -> Iterator[PortRecord]:
    yield from note.states
    for each in (note, *note.entries):
        yield from each.inputs
        yield from each.outputs


def _inside(span: _Span, space: _Span) -> bool:
    return space[0] <= span[0] and span[1] <= space[1]


def _text(span: _Span) -> str:
    return f"{span[0]:#x}, {span[1]:#x}"
