"""Files from anywhere: programs, their notes, machine descriptions, ONNX models (hypothesis).

An error for people every time: never a crash, a hang or an unbounded allocation. `make fuzz` tries
100,000 cases of each.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from edits import places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from test_fuzz_readers import elf

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program

CASES = int(os.environ.get("FUZZ_CASES", "100"))
MOST_BYTES = 8 << 30
"""More address space a case may need; the simulated L2 is half a gigabyte of it."""

fuzz = settings(
    max_examples=CASES,
    deadline=5_000,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType],
)


@pytest.fixture(autouse=True, scope="module")
def bounded_memory() -> Iterator[None]:
    """What tests before these have left does not count."""
    gc.collect()
    before = resource.getrlimit(resource.RLIMIT_AS)
    statistics = Path("/proc/self/statm")
    pages = int(statistics.read_text().split()[0]) if statistics.exists() else 0
    most = MOST_BYTES + pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["set", "delete", "insert", "repeat", "cut"]),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    """The data with some bytes set, removed, added or doubled, or its end cut off."""
    for place, kind, new in edits:
        at = int(place * len(data))
        if kind == "set":
            data = data[:at] + new + data[at + len(new) :]
        elif kind == "delete":
            data = data[:at] + data[at + len(new) :]
        elif kind == "insert":
            data = data[:at] + new + data[at:]
        elif kind == "repeat":
            data = data[:at] + data[at : at + 64] * 2 + data[at + 64 :]
        else:
            data = data[:at]
    return data


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([-1, 0, 1, 1 << 31, 1 << 40, "", "bf16", "tcdm", "l2"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the tree with another value at a path; None removes a key."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if value is None and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


@pytest.fixture(scope="module")
def program() -> bytes:
    """A compiled program of one operation."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.models import single_operation

    return Compilation.of(single_operation("softmax", 4, 32), "paper").program_bytes


def test_programs(program: bytes):
    @fuzz
    @given(EDITS)
    def check(edits: list[tuple[float, str, bytes]]) -> None:
        with suppress(UserError):
            Program.from_bytes(edited(program, edits))

    check()


def test_program_headers(program: bytes):
    """The ELF header, program headers and section headers, where every byte decides."""
    sections = int.from_bytes(program[32:36], "little")

    @fuzz
    @given(
        st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), min_size=1, max_size=4)
    )
    def check(changes: list[tuple[int, int]]) -> None:
        data = bytearray(program)
        for place, value in changes:
            at = place % 256 if place & 1 else sections + place % (len(data) - sections)
            data[at] = value
        with suppress(UserError):
            Program.from_bytes(bytes(data))

    check()


def test_notes(program: bytes):
    """The note's JSON with any value at any place; what loads can be shown and run or refused."""
    metadata = Program.from_bytes(program).metadata
    paths = list(places(metadata))

    @fuzz
    @given(st.sampled_from(paths), VALUES)
    def check(path: tuple[Any, ...], value: Any) -> None:
        payload = json.dumps(replaced(metadata, path, value)).encode()
        with suppress(UserError):
            Program.from_bytes(elf(payload))

    check()


def test_machine_descriptions():
    whole = Machine.load("paper").to_toml()

    @fuzz
    @given(EDITS)
    def check(edits: list[tuple[float, str, bytes]]) -> None:
        text = edited(whole.encode(), edits).decode("utf-8", "replace")
        with suppress(UserError):
            Machine.from_toml(text, "broken.toml")

    check()


def small_model() -> bytes:
    """x -> LayerNormalization, MatMul, Gelu as Div, Erf, Add, Mul, and a Softmax."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.standard_normal((16, 16)).astype(np.float32),
        "g": np.ones(16, np.float32),
        "root": np.array(2**0.5, np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "shape": np.array([2, 8, 16], np.int64),
    }
    nodes = [
        helper.make_node("LayerNormalization", ["x", "g", "g"], ["n"], axis=-1),
        helper.make_node("MatMul", ["n", "w"], ["m"]),
        helper.make_node("Div", ["m", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["a"]),
        helper.make_node("Mul", ["m", "a"], ["b"]),
        helper.make_node("Mul", ["b", "half"], ["c"]),
        helper.make_node("Reshape", ["c", "shape"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 8, 16])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return model.SerializeToString()


def test_onnx_models(tmp_path: Path):
    whole = small_model()
    path = tmp_path / "broken.onnx"
    path.write_bytes(whole)
    import_onnx(path, {})

    @fuzz
    @given(EDITS)
    def check(edits: list[tuple[float, str, bytes]]) -> None:
        path.write_bytes(edited(whole, edits))
        with suppress(UserError):
            import_onnx(path, {})

    check()


def test_onnx_graphs(tmp_path: Path):
    """Well-formed files whose graphs make no sense."""
    path = tmp_path / "broken.onnx"
    names = ["x", "w", "g", "n", "m", "y", "shape", "one", "", "nowhere"]
    kinds = ["MatMul", "Add", "Reshape", "Softmax", "Gather", "Concat", "Slice", "Expand", "Tile"]
    kinds += ["Unsqueeze", "Transpose", "Range", "ConstantOfShape", "Split", "Where", "NoSuch"]
    numbers = st.lists(
        st.sampled_from([-(1 << 40), -1, 0, 1, 2, 7, 16, 1 << 31, 1 << 62]), max_size=4
    )

    @fuzz
    @given(
        st.integers(0, 8),
        st.sampled_from(kinds),
        st.lists(st.sampled_from(names), max_size=5),
        st.sampled_from(["axis", "axes", "perm", "keepdims", "none"]),
        numbers,
        numbers,
    )
    def check(place: int, kind: str, inputs: list[str], name: str, values: Any, shape: Any) -> None:
        model = onnx.load_from_string(small_model())
        node = model.graph.node[place]
        node.op_type = kind
        del node.input[:]
        node.input.extend(inputs)
        if name != "none":
            node.attribute.append(helper.make_attribute(name, values or [0]))
        if shape:
            for tensor in model.graph.initializer:
                if tensor.name == "shape":
                    tensor.CopyFrom(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
        path.write_bytes(model.SerializeToString())
        with suppress(UserError):
            import_onnx(path, {})

    check()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
