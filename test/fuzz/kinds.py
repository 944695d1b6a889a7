"""The kinds of files that commands read, and how each is broken: `KINDS[name](rng, directory)`.

A kind writes its files into a directory and gives the command line that reads them. The good files
everything starts from are made once, in `Seeds`.
"""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import edits
import numpy as np
from bare_metal_programs import executable, instruction_words
from onnx_kinds import onnx_bytes, onnx_graph

CYCLES = "300000"
"""Enough for the programs here several times over."""


@dataclass(frozen=True)
class Seeds:
    """Good files, made when they are first needed."""

    @cached_property
    def programs(self) -> list[bytes]:
        """Compiled programs: row operations, and a transformer layer."""
        from softex_mlir.compiler.driver import Compilation
        from softex_mlir.compiler.models import single_operation
        from softex_mlir.compiler.models.vit import vit

        models = [
            single_operation("softmax", 4, 32),
            single_operation("gelu", 4, 40),
            vit("vit", image=16, patch=8, hidden=32, layers=1, heads=2, classes=10),
        ]
        return [Compilation.of(model).program_bytes for model in models]

    @cached_property
    def inputs(self) -> bytes:
        """Inputs of the first program and a reference output."""
        rng = np.random.default_rng(0)
        buffer = io.BytesIO()
        x = rng.standard_normal((4, 32)).astype(np.float32)
        np.savez(buffer, x=x, y=x)
        return buffer.getvalue()

    @cached_property
    def texts(self) -> list[str]:
        """Modules of all levels."""
        from softex_mlir.compiler.driver import Compilation
        from softex_mlir.compiler.models import single_operation
        from softex_mlir.compiler.models.vit import vit

        small = Compilation.of(single_operation("gelu", 4, 40))
        layer = vit("vit", image=8, patch=8, hidden=32, layers=1, heads=1, classes=2)
        levels = ("transformer", "jobs", "commands", "riscv")
        return [
            str(Compilation.of(layer).emit("transformer")),
            *(str(small.emit(level)) for level in levels),
            LAYERS,
        ]

    @cached_property
    def fragments(self) -> list[str]:
        """Words of the modules, and what else a parser knows."""
        words = {word for text in self.texts for word in text.split() if len(word) < 60}
        extra = [
            "dense<[1, 2]>",
            "tensor<0x?xf32>",
            "memref<*xi8>",
            "loc(unknown)",
            '"',
            "//",
            "#a",
        ]
        return sorted(words) + extra

    @cached_property
    def machine(self) -> str:
        from softex_mlir.isa_sim.machine import Machine

        return Machine.load("paper").to_toml()


SEEDS = Seeds()


Command = list[str]


def _run(rng: random.Random, path: Path) -> Command:
    run = ["run", str(path), "--max-cycles", CYCLES]
    views = [
        *[run] * 8,
        *[[*run, "--json"]] * 4,
        [*run, "--check"],
        *[["inspect", str(path)]] * 3,
        *[["inspect", str(path), "--memory", "--json"]] * 3,
        *[["inspect", str(path), "--asm"]] * 2,
    ]
    return ["softex", *rng.choice(views)]


def elf_headers(rng: random.Random, directory: Path) -> Command:
    """The ELF header, program headers, section headers, symbols and their names."""
    data = bytearray(rng.choice(SEEDS.programs))
    (sections,) = struct.unpack_from("<I", data, 32)
    (segments,) = struct.unpack_from("<H", data, 44)
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.randrange(8)
        if kind < 2:
            at, size = rng.choice([(4, 1), (5, 1), (6, 1), (18, 2), (24, 4), (28, 4), (32, 4)])
            if rng.random() < 0.5:
                at, size = rng.randrange(40, 52, 2), 2
        elif kind < 5:
            at, size = 52 + 32 * rng.randrange(segments) + 4 * rng.randrange(8), 4
        elif kind < 7:
            count = (len(data) - sections) // 40
            at, size = sections + 40 * rng.randrange(count) + 4 * rng.randrange(10), 4
        else:
            at, size = rng.randrange(len(data) - 4), rng.choice((1, 2, 4))
        edits.edit_word(rng, data, at, size)
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)) :]
    path = directory / "program.elf"
    path.write_bytes(bytes(data))
    return _run(rng, path)


def _with_note(data: bytes, text: bytes) -> bytes:
    """The program with another note, moved to the file's end."""
    (segments,) = struct.unpack_from("<H", data, 44)
    result = bytearray(data) + bytes(-len(data) % 4)
    for index in range(segments):
        at = 52 + 32 * index
        if struct.unpack_from("<I", result, at) != (4,):
            continue
        owner = b"softex\0\0"
        note = struct.pack("<III", 7, len(text), 1) + owner + text + bytes(-len(text) % 4)
        struct.pack_into("<I", result, at + 4, len(result))
        struct.pack_into("<II", result, at + 16, len(note), len(note))
        result += note
    return bytes(result)


def elf_note(rng: random.Random, directory: Path) -> Command:
    """The note's JSON: any value at any place, or broken text."""
    from softex_mlir.runtime.elf_reader import read_elf

    data = rng.choice(SEEDS.programs)
    text = read_elf(data, "seed").note
    assert text is not None
    if rng.random() < 0.9:
        tree = json.loads(text)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            tree = edits.edit_tree(rng, tree)
        text = json.dumps(tree).encode("utf-8", "surrogatepass")
    else:
        text = edits.edit_bytes(rng, text)
    path = directory / "program.elf"
    path.write_bytes(_with_note(data, text))
    return _run(rng, path)


def elf_code(rng: random.Random, directory: Path) -> Command:
    """Instructions, the launch table, weights: whatever is loaded."""
    from softex_mlir.runtime.elf_reader import read_elf

    data = bytearray(rng.choice(SEEDS.programs))
    contents = read_elf(bytes(data), "seed")
    table = contents.symbols["launch_table"]
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        segments = [s for s in contents.segments if s.data]
        kind = rng.randrange(10)
        chosen = [s for s in segments if s.executable]
        if kind >= 6:
            chosen = [s for s in segments if s.address == table]
        if kind == 9:
            chosen = segments
        segment = rng.choice(chosen)
        at = bytes(data).find(segment.data) + 4 * rng.randrange(max(1, len(segment.data) // 4))
        if rng.random() < 0.3:
            other = bytes(data).find(segment.data) + 4 * rng.randrange(len(segment.data) // 4)
            data[at : at + 4] = data[other : other + 4]
        else:
            edits.edit_word(rng, data, at, 4)
    path = directory / "program.elf"
    path.write_bytes(bytes(data))
    sanitize = ["--sanitize"] if rng.random() < 0.1 else []
    return ["softex", "run", str(path), "--max-cycles", CYCLES, *sanitize]


def bare_metal(rng: random.Random, directory: Path) -> Command:
    """Programs as bare-metal ones: mostly nonsense, on one core."""
    from softex_mlir.runtime.elf_reader import read_elf

    data = bytearray(rng.choice(SEEDS.programs))
    code = next(s for s in read_elf(bytes(data), "seed").segments if s.executable)
    start = bytes(data).find(code.data)
    for _ in range(rng.randrange(20)):
        at = start + 4 * rng.randrange(len(code.data) // 4)
        edits.edit_word(rng, data, at, 4)
    for at in range(52, 52 + 32 * struct.unpack_from("<H", data, 44)[0], 32):
        if struct.unpack_from("<I", data, at) == (4,):
            struct.pack_into("<I", data, at, 0)
        elif rng.random() < 0.1:
            edits.edit_word(rng, data, at + 4 * rng.randrange(8), 4)
    path = directory / "program.elf"
    path.write_bytes(bytes(data))
    return ["softex", "sim", str(path), "--max-instructions", "100000"]


def instructions(rng: random.Random, directory: Path) -> Command:
    """Bare-metal programs of any instructions, requests to the host among them."""
    base = rng.choice((0x80000000, 0x80000000, 0x1000, 0, 0xFFFFF000, 0x7FFFFF00))
    symbols = {"begin_signature": base + 0x100, "end_signature": base + 0x180}
    if rng.random() < 0.3:
        symbols["tohost"] = rng.choice((base + 0x200, base, base + 0x801, 0, 0xFFFFFFFC))
    words = instruction_words(rng, base, rng.randrange(4, 300))
    code = b"".join(word.to_bytes(2 if word & 3 != 3 else 4, "little") for word in words)
    path = directory / "program.elf"
    path.write_bytes(executable(base, code[: 0x1000 - 2 * rng.randrange(2)], symbols))
    memory = rng.choice(([], [], ["--memory", "0x90000000:4Ki"], ["--memory", f"{base}:64Ki"]))
    signature = ["--signature", str(directory / "signature")] if rng.random() < 0.3 else []
    limit = ["--max-instructions", "100000"]
    return ["softex", "sim", str(path), *limit, *memory, *signature]


def npz(rng: random.Random, directory: Path) -> Command:
    """Inputs: zip directories, headers of arrays, data."""
    program = directory / "program.elf"
    program.write_bytes(SEEDS.programs[0])
    path = directory / rng.choice(("in.npz", "in.npz", "in.npy"))
    kind = rng.randrange(4)
    data = SEEDS.inputs
    if path.suffix == ".npy":
        data = _npy(rng)
        if kind < 2:
            data = edits.edit_bytes(rng, data)
    elif kind < 2:
        data = edits.edit_bytes(rng, data)
    elif kind == 2:
        data = _npz(rng)
    else:
        data = bytearray(data)
        end = bytes(data).rfind(b"PK\x05\x06")
        first = bytes(data).find(b"PK\x01\x02")
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.choice(
                (rng.randrange(30), rng.randrange(first, end), rng.randrange(end, len(data) - 4))
            )
            edits.edit_word(rng, data, at, rng.choice((1, 2, 4)))
    path.write_bytes(bytes(data))
    return ["softex", "run", str(program), "--max-cycles", CYCLES, "--input", str(path), "--check"]


def _npy(rng: random.Random) -> bytes:
    """An array whose header may say anything, with data of another size."""
    kinds = [
        "<f4",
        ">f4",
        "<f8",
        "<i8",
        "|b1",
        "|O",
        "<U7",
        "|V2",
        "<c8",
        "<M8[s]",
        "[('a', '<f4')]",
    ]
    shape = rng.choice(
        [(4, 32), (4, 32), (4, 33), (), (0,), (1 << 40,), (1 << 62, 4), (-1,), (2,) * 70]
    )
    kind = rng.choice(kinds)
    quoted = kind if kind.startswith("[") else repr(kind)
    header = f"{{'descr': {quoted}, 'fortran_order': {rng.random() < 0.2}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        header = edits.edit_text(rng, header, ["__import__('os')", "1" * 99, "(" * 99])
    text = header.encode("utf-8", "replace")
    version = rng.choice([1, 1, 2, 3, 9])
    prefix = b"\x93NUMPY" + bytes([version, 0])
    text += b" " * (-len(text) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text) & 0xFFFF)
    return prefix + length + text + rng.randbytes(rng.choice((0, 4, 512, 512, 513)))


def _npz(rng: random.Random) -> bytes:
    import zipfile

    buffer = io.BytesIO()
    method = rng.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    names = ["x.npy", "x", "y.npy", "out_0.npy", "out_9.npy", "../x.npy", "", "z.npy", "x.npy"]
    with zipfile.ZipFile(buffer, "w", method) as file:
        for _ in range(rng.randrange(4)):
            file.writestr(zipfile.ZipInfo(rng.choice(names)), _npy(rng))
    return buffer.getvalue()


def mlir(rng: random.Random, directory: Path) -> Command:
    """Textual IR of any level."""
    path = directory / "model.mlir"
    source = SEEDS.texts[0] if rng.random() < 0.1 else rng.choice(SEEDS.texts[1:])
    text = edits.edit_text(rng, source, SEEDS.fragments)
    path.write_text(text, "utf-8", "replace")
    passes = ["", "", "canonicalize-transformer", "place", "fold-affine", "lower-cluster"]
    chosen = rng.choice(passes)
    if rng.random() < 0.3:
        return ["softex", "compile", str(path), "--emit", "transformer"]
    return ["softex-opt", str(path), *(["-p", chosen] if chosen else [])]


def machine(rng: random.Random, directory: Path) -> Command:
    """Machine descriptions: numbers, keys, tables."""
    path = directory / "machine.toml"
    fragments = [
        "[softex]",
        "[[dma]]",
        "name.x = 1",
        "present = false",
        'extends = "ideal"',
        "nan",
        "inf",
    ]
    if rng.random() < 0.7:
        lines = SEEDS.machine.splitlines()
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.choice([i for i, line in enumerate(lines) if "=" in line])
            key, _, old = lines[at].partition("=")
            values: list[object] = [*edits.NUMBERS, "nan", "true", "[]"]
            if old.strip().isdigit() and rng.random() < 0.6:
                number = int(old)
                values = [number * 2, number // 2, number + 1, number - 1, number + 8, number * 16]
            lines[at] = f"{key}= {rng.choice(values)}"
        text = "\n".join(lines)
    else:
        text = edits.edit_text(rng, SEEDS.machine, fragments)
    path.write_text(text, "utf-8", "replace")
    source = directory / "model.mlir"
    source.write_text(LAYERS if rng.random() < 0.2 else SEEDS.texts[1])
    source.with_suffix(".safetensors").write_bytes(_weights(LAYERS_WEIGHTS))
    out = str(directory / "model.elf")
    command = ["run"] if rng.random() < 0.1 else ["compile", "-o", out]
    return ["softex", *command, str(source), "--target", str(path)]


LAYERS_WEIGHTS = {"up": (32, 64), "down": (64, 32), "mask": (1, 64)}
LAYERS = """builtin.module {
  transformer.weight @up : tensor<32x64xbf16>
  transformer.weight @down : tensor<64x32xbf16>
  transformer.weight @mask : tensor<1x64xbf16>
  func.func @main(%x : tensor<64x32xbf16>) -> tensor<64x32xbf16> {
    %mask = transformer.get_weight @mask : tensor<1x64xbf16>
    %a = transformer.attention %x, %x, %x, %mask {heads = 2 : i64, batch = 1 : i64, layer = "layer.0.attention"} : tensor<64x32xbf16>, tensor<64x32xbf16>, tensor<64x32xbf16>, tensor<1x64xbf16> -> tensor<64x32xbf16>
    %up = transformer.get_weight @up : tensor<32x64xbf16>
    %down = transformer.get_weight @down : tensor<64x32xbf16>
    %b = transformer.linear %a, %up {activation = "gelu", layer = "layer.0.mlp.fc1"} : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x64xbf16>
    %c = transformer.linear %b, %down {layer = "layer.0.mlp.fc2"} : tensor<64x64xbf16>, tensor<64x32xbf16> -> tensor<64x32xbf16>
    func.return %c : tensor<64x32xbf16>
  }
}
"""  # noqa: E501


def _weights(shapes: dict[str, tuple[int, int]]) -> bytes:
    """A safetensors file of zeros."""
    tree: dict[str, object] = {}
    end = 0
    for name, (rows, columns) in shapes.items():
        start, end = end, end + 2 * rows * columns
        tree[name] = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [start, end]}
    text = json.dumps(tree).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def tiles(rng: random.Random, directory: Path) -> Command:
    """Tile shapes by layer."""
    path = directory / "tiles.toml"
    names = ["layer.0.mlp.fc1", "layer.0.mlp.fc2"]
    if rng.random() < 0.3:
        names = ["layer.0.mlp.fc1", "layer.0.attention", "nosuch", "", "é"]
    keys = ["m", "n", "k", "group"] * 4 + ["M", "rows"]
    sizes = [1, 2, 8, 16, 24, 32, 40, 48, 64, 96]
    lines: list[str] = []
    for name in rng.sample(names, rng.randrange(1, 3)):
        lines.append(f"[{json.dumps(name)}]")
        for key in dict.fromkeys(rng.sample(keys, rng.randrange(1, 5))):
            values = [*edits.NUMBERS, "true", "[1]", "nan"] if rng.random() < 0.2 else sizes
            lines.append(f"{key} = {rng.choice(values)}")
    text = "\n".join(lines)
    if rng.random() < 0.2:
        text = edits.edit_text(rng, text or "x = 1", ["[a]", "m = 1", '"'])
    path.write_text(text, "utf-8", "replace")
    source = directory / "model.mlir"
    source.write_text(LAYERS)
    source.with_suffix(".safetensors").write_bytes(_weights(LAYERS_WEIGHTS))
    command = ["softex", "compile", str(source), "--tiles", str(path)]
    if rng.random() < 0.2:
        return [*command, "-o", str(directory / "model.elf")]
    return [*command, "--emit", "jobs", "-o", str(directory / "jobs.mlir")]


def safetensors(rng: random.Random, directory: Path) -> Command:
    """Weights beside a module."""
    source = directory / "model.mlir"
    source.write_text(
        "builtin.module {\n"
        "  transformer.weight @w : tensor<32x32xbf16>\n"
        "  func.func @main(%x : tensor<4x32xbf16>) -> tensor<4x32xbf16> {\n"
        "    %w = transformer.get_weight @w : tensor<32x32xbf16>\n"
        "    %y = transformer.linear %x, %w : tensor<4x32xbf16>, tensor<32x32xbf16> "
        "-> tensor<4x32xbf16>\n"
        "    func.return %y : tensor<4x32xbf16>\n  }\n}\n"
    )
    tree = {"w": {"dtype": "BF16", "shape": [32, 32], "data_offsets": [0, 2048]}}
    if rng.random() < 0.8:
        tree = edits.edit_tree(rng, tree)
    text = json.dumps(tree).encode("utf-8", "surrogatepass")
    data = bytearray(struct.pack("<Q", len(text)) + text + bytes(2048))
    if rng.random() < 0.4:
        data = bytearray(edits.edit_bytes(rng, bytes(data[:200])) + data[200:])
    if rng.random() < 0.1:
        edits.edit_word(rng, data, rng.choice((0, 4)), 4)
    source.with_suffix(".safetensors").write_bytes(bytes(data))
    return ["softex", "compile", str(source), "-o", str(directory / "model.elf")]


KINDS: dict[str, Callable[[random.Random, Path], Command]] = {
    "elf-headers": elf_headers,
    "elf-note": elf_note,
    "elf-code": elf_code,
    "bare-metal": bare_metal,
    "instructions": instructions,
    "npz": npz,
    "onnx-bytes": onnx_bytes,
    "onnx-graph": onnx_graph,
    "mlir": mlir,
    "machine": machine,
    "tiles": tiles,
    "safetensors": safetensors,
}
