"""Small changes to structured files: bytes, words, texts and JSON trees. All from one `Random`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

WORDS = [
    *(0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 16, 1 << 24, 0x7FFFFFFF, 1 << 31),
    *(0xFFFFFFFE, 0xFFFFFFFF, 0x10000000, 0x1C000000, 0x10200000),
]
"""Values at which 32-bit fields change their meaning."""

NUMBERS: list[Any] = [
    *(0, 1, -1, 2, 3, 7, 24, 32, 255, 256, 65535, 65536, 1 << 20, 1 << 31, (1 << 31) - 1),
    *(1 << 32, 1 << 40, 1 << 62, 1 << 63, -(1 << 63), 1 << 64, 10**30, 0.5, -1.5, 1e300, -0.0),
]


def edit_bytes(rng: random.Random, data: bytes) -> bytes:
    """Some bytes set, removed, added or doubled, or the end cut off."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        size = rng.choice((1, 1, 2, 4, 8, 16))
        kind = rng.randrange(12)
        if kind < 6:
            new = rng.choice((rng.randbytes(size), bytes(size), b"\xff" * size))
            data = data[:at] + new + data[at + size :]
        elif kind < 8:
            data = data[:at] + data[at + size :]
        elif kind < 10:
            data = data[:at] + rng.randbytes(size) + data[at:]
        elif kind < 11:
            data = data[:at] + data[at : at + 64] * 2 + data[at + 64 :]
        else:
            data = data[:at]
    return data


def edit_word(rng: random.Random, data: bytearray, at: int, size: int) -> None:
    """Another value for the little-endian field of 1, 2 or 4 bytes at an offset."""
    old = int.from_bytes(data[at : at + size], "little")
    kind = rng.randrange(4)
    if kind == 0:
        new = rng.choice(WORDS)
    elif kind == 1:
        new = old ^ 1 << rng.randrange(8 * size)
    elif kind == 2:
        new = old + rng.choice((-4, -1, 1, 4, 16, 4096))
    else:
        new = rng.getrandbits(8 * size)
    data[at : at + size] = (new & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def edit_text(rng: random.Random, text: str, fragments: list[str]) -> str:
    """Tokens, lines or characters of a text removed, doubled, moved or replaced."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(10)
        if kind == 0:
            text = text[:at] + text[at + rng.choice((1, 1, 2, 5, 20)) :]
        elif kind == 1:
            text = (
                text[:at] + rng.choice(list('"<>()[]{}:,=%@#!-/\\\n\0 x0ß\U0001f600')) + text[at:]
            )
        elif kind in (2, 3):
            text = text[:at] + rng.choice(fragments) + text[at:]
        elif kind in (4, 5, 6):
            words = _words(text)
            if words:
                start, end = rng.choice(words)
                replacement = rng.choice([str(rng.choice(NUMBERS)), *fragments])
                text = text[:start] + replacement + text[end:]
        elif kind in (7, 8):
            lines = text.splitlines(keepends=True)
            if lines:
                line = rng.randrange(len(lines))
                if rng.random() < 0.5:
                    del lines[line]
                else:
                    lines.insert(rng.randrange(len(lines) + 1), lines[line])
                text = "".join(lines)
        else:
            text = text[:at]
    return text


def _words(text: str) -> list[tuple[int, int]]:
    words: list[tuple[int, int]] = []
    start = None
    for at, character in enumerate(text + " "):
        inside = character.isalnum() or character in "_.-"
        if inside and start is None:
            start = at
        elif not inside and start is not None:
            words.append((start, at))
            start = None
    return words


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a JSON tree; of long lists, the first few entries."""
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree[:3]):
            yield from places(value, (*path, index))


def value(rng: random.Random, old: Any) -> Any:
    """Something in the place of a JSON value: near it, or anything."""
    if isinstance(old, bool):
        near: list[Any] = [not old]
    elif isinstance(old, int):
        near = [old + 1, old - 1, old * 2, -old, old + 4096, float(old), str(old), old + 2**32]
    elif isinstance(old, str):
        near = [
            old + "x",
            old[:-1],
            "",
            old * 3,
            "\ud800",
            "\0",
            "\x1b[31m",
            old.upper(),
            "x" * 9999,
        ]
    elif isinstance(old, list):
        near = [old * 2, old[:-1], old[::-1], [], [old], old * 40]
    elif isinstance(old, dict):
        near = [{}, [old], {**old, "extra": 1}, list(old.values())]
    else:
        near = [0, "", []]
    if rng.random() < 0.6:
        return rng.choice(near)
    return rng.choice([None, True, "", "bf16", "i32", "l2", "tcdm", [], {}, *NUMBERS])


def edit_tree(rng: random.Random, tree: Any) -> Any:
    """A copy of a JSON tree with another value at one place, or a key less."""
    path = rng.choice(list(places(tree)))
    return _replaced(rng, tree, path)


def _replaced(rng: random.Random, tree: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return value(rng, tree)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if len(path) == 1 and rng.random() < 0.1:
        del copy[path[0]]
    else:
        copy[path[0]] = _replaced(rng, tree[path[0]], path[1:])
    return copy
