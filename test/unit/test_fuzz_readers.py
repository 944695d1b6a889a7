"""Broken inputs give errors for people, whatever is broken.

`FUZZ_CASES=100000 pytest test/unit/test_fuzz_readers.py` tries more.
"""

import os
import random
import struct

import pytest

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program

CASES = int(os.environ.get("FUZZ_CASES", "600"))


def mutate_text(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        choice = rng.randrange(6)
        if choice == 0:
            del lines[at]
        elif choice == 1:
            lines.insert(at, rng.choice(lines))
        elif choice == 2:
            name, _, value = lines[at].partition("=")
            values = ["-1", "0", "1e99", '"x"', "[]", "[1, 'a']", "true", "nan", "{}", "2" * 30]
            lines[at] = f"{name}= {rng.choice(values)}" if value else name
        elif choice == 3:
            position = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:position] + rng.choice('[]"=#x\0é') + lines[at][position:]
        elif choice == 4:
            lines[at] = lines[at].replace("_", "", 1)
        else:
            lines[at] = rng.choice(["[softex]", "[[dma]]", "name.x = 1", "present = false", ""])
        if not lines:
            break
    return "\n".join(lines)


def test_machine_descriptions():
    rng = random.Random(1)
    text = Machine.load("paper").to_toml()
    read = 0
    for _ in range(CASES):
        broken = mutate_text(text, rng)
        try:
            machine = Machine.from_toml(broken, "broken.toml")
        except UserError as error:
            text_of_error = str(error)
        else:
            text_of_error = "broken.toml:"
            read += 1
            assert Machine.from_toml(machine.to_toml()) == machine
        assert text_of_error.startswith("broken.toml:")
    assert read < CASES


def note(kind: int, name: bytes, payload: bytes) -> bytes:
    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    return struct.pack("<III", len(name), len(payload), kind) + padded(name) + padded(payload)


def elf(payload: bytes, name: bytes = b"softex\0") -> bytes:
    """A small ELF32 executable for RISC-V: a segment of code and one of a note, both sections."""
    names = b"\0.shstrtab\0.note.softex\0"
    body = note(1, name, payload)
    segment = bytes(64)
    at_segment = 52 + 2 * 32
    at_note = at_segment + len(segment)
    at_names = at_note + len(body)
    at_sections = (at_names + len(names) + 3) & ~3
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH", 2, 243, 1, 0x1C000000, 52, at_sections, 0, 52, 32, 2, 40, 3, 1
    )
    program = struct.pack("<8I", 1, at_segment, 0x1C000000, 0x1C000000, 64, 64, 5, 4)
    program += struct.pack("<8I", 4, at_note, 0, 0, len(body), len(body), 4, 4)
    sections = bytes(40)
    sections += struct.pack("<10I", 1, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    sections += struct.pack("<10I", 11, 7, 0, 0, at_note, len(body), 0, 0, 4, 0)
    data = header + program + segment + body + names
    return data + bytes(at_sections - len(data)) + sections


def read(data: bytes) -> bool:
    """Whether the program loads; anything but a UserError is a bug of the reader."""
    try:
        Program.from_bytes(data)
    except UserError:
        return False
    return True


def test_programs_with_flipped_bytes():
    rng = random.Random(2)
    whole = elf(b'{"format": 1, "machine": {"name": "paper"}}')
    read(whole)
    for _ in range(CASES):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.choice(
                [0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)]
            )
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        read(bytes(data))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"1" * 999,
        b"[" * 5000,
        b'{"format": "x"}',
        b'{"format": 99}',
        b'{"format": 1}',
        b'{"format": 1, "machine": 3}',
        b'{"format": 1, "inputs": [1], "outputs": {}}',
    ],
)
def test_notes(payload: bytes):
    assert not read(elf(payload))


def test_not_programs():
    rng = random.Random(3)
    for size in (0, 1, 4, 51, 52, 200):
        assert not read(rng.randbytes(size))
        assert not read(b"\x7fELF" + rng.randbytes(size))
