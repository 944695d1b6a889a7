"""Reading textual IR: every text is a module or one line that says where it goes wrong."""

import itertools
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from sampling import sample
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr

from softex_mlir.compiler.model import ModelError, read_model
from softex_mlir.dialects.text import TextError, read_module

TENSOR = "tensor<4x32xbf16>"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('"test.op"() {a = "%s} : () -> ()' % ("softmax " * 20), "1:18", "closing quote"),
        (f'@"{"x" * 200}', "1:2", "closing quote"),
        ('"never closed', "1:1", "closing quote"),
        ('"bad escape \\q"', "1:1", "unknown escape"),
        ("%0 = arith.constant 1 : i9223372036854775807", "1:25", "16777215 bits"),
        ("%0 = arith.constant 1 : i4000000000", "1:25", "16777215 bits"),
        ("%0 = arith.constant 3.4e39 : f32", "1:33", "too large"),
        (f'"test.op"() {{a = {"[" * 3000}', "1:", "nested too deeply"),
        ("", "1:1", "Could not parse"),
        (
            "%0 = arith.constant 1 : i32\n%1 = arith.addi %0, %2 : i32",
            "2:21",
            "%2 is used but not defined",
        ),
        ('%b = "arith.addi"() : () -> i32', "1:1", "Expected 2 operands"),
    ],
)
def test_errors_name_the_place(text: str, place: str, message: str):
    with pytest.raises(TextError) as info:
        read_module(text, "in.mlir")
    assert str(info.value).startswith(f"in.mlir:{place}")
    assert message in str(info.value)
    assert "\n" not in str(info.value)


def doubled(first: str, step: str, uses: str) -> str:
    """Aliases of which each stands for two of the one before, forty times."""
    names = [f"{first[0]}a{i}" for i in range(40)]
    lines = [f"{names[0]} = {first[1:]}"]
    lines += [f"{b} = {step.format(a)}" for a, b in itertools.pairwise(names)]
    return "\n".join([*lines, f'"test.op"() {uses.format(names[-1])}'])


@pytest.mark.parametrize(
    ("first", "step", "uses"),
    [
        ('#"x"', "[{0}, {0}]", "{{a = {}}} : () -> ()"),
        ('#"x"', "{{x = {0}, y = {0}}}", "{{a = {}}} : () -> ()"),
        ("!i32", "tuple<{0}, {0}>", ": () -> {}"),
        ("!i32", "({0}, {0}) -> {0}", ": () -> {}"),
        ('#loc("a":1:2)', "loc(callsite({0} at {0}))", ": () -> () loc({})"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_aliases_that_double_are_refused(first: str, step: str, uses: str, late: bool):
    text = doubled(first, step, uses)
    if late and "loc(" in step:
        text = "\n".join(reversed(text.split("\n")))
    with pytest.raises(TextError, match="stand for more than 2,097,152 characters, written out"):
        read_module(text, "in.mlir")


def test_many_uses_of_an_alias_are_fine():
    callers = ['#l0 = loc("a/b/c.py":1:2)']
    callers += [f'#l{i} = loc(callsite("a/b/c.py":{i}:2 at #l{i - 1}))' for i in range(1, 20)]
    text = "\n".join([*callers, '"test.op"() : () -> () loc(#l19)\n' * 5000])
    assert len(list(read_module(text, "in.mlir").ops)) == 5000


def test_operations_keep_their_place():
    module = read_module("%0 = arith.constant 1 : i32\n\n  %1 = arith.addi %0, %0 : i32", "in.mlir")
    assert [str(op.location) for op in module.ops] == [
        'loc("in.mlir":1:1)',
        'loc("in.mlir":3:3)',
    ]


def test_models_are_read_the_same_way(tmp_path: Path):
    path = tmp_path / "model.mlir"
    path.write_text(
        f"func.func @main(%x : {TENSOR}) -> {TENSOR} {{\n"
        f'  %y = transformer.softmax %x {{layer = "softmax}} : {TENSOR} -> {TENSOR}\n'
    )
    with pytest.raises(ModelError, match=r"model\.mlir:2:40: error: string without a closing"):
        read_model(path)


def test_text_beyond_ascii_stays_text():
    layer = "größe → 层"
    module = read_module(
        f'func.func @main() attributes {{layer = "{layer}"}} {{ func.return }}', "a"
    )
    again = read_module(str(module), "b")
    (function,) = again.ops
    assert function.attributes["layer"] == StringAttr(layer)


FLOAT_BITS = {"bf16": 16, "f16": 16, "f32": 32, "f64": 64}


@sample(60)
@given(st.sampled_from(sorted(FLOAT_BITS)), st.data())
def test_no_float_of_a_list_loses_a_bit(kind: str, data: st.DataObject) -> None:
    """In lists, as splat and in arrays, read in hexadecimal and printed as it comes."""
    width = FLOAT_BITS[kind]
    bits = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=2, max_size=4))
    words = ", ".join(f"0x{b:0{width // 4}X}" for b in bits)
    size = f"tensor<{len(bits)}x{kind}>"
    raw = b"".join(b.to_bytes(width // 8, "little") for b in bits)
    text = f"""
        "test.op"() {{
            list = dense<[{words}]> : {size},
            blob = dense<"0x{raw.hex()}"> : {size},
            splat = dense<0x{bits[0]:X}> : {size},
            array = array<{kind}: {words}>
        }} : () -> ()"""
    module = read_module(text, "in.mlir")
    again = read_module(str(module), "out.mlir")
    assert _bytes(module, "splat") == raw[: width // 8] * len(bits)
    for name in ("list", "blob", "array"):
        assert _bytes(module, name) == raw
        assert name == "array" or _bytes(again, name) == raw
    if not any(_is_nan(b, kind) for b in bits):
        assert _bytes(again, "array") == raw


def test_zeros_of_both_signs_stay_apart() -> None:
    module = read_module('"test.op"() {a = dense<[0.0, -0.0]> : tensor<2xf32>} : () -> ()', "in")
    assert _bytes(read_module(str(module), "out"), "a") == bytes(7) + b"\x80"


def _bytes(module: ModuleOp, name: str) -> bytes:
    attribute: Any = next(iter(module.ops)).attributes[name]
    return attribute.data.data


def _is_nan(bits: int, kind: str) -> bool:
    """xDSL prints numbers, and a number that is NaN does not keep all of its bits."""
    width, fraction = FLOAT_BITS[kind], {"bf16": 7, "f16": 10, "f32": 23, "f64": 52}[kind]
    return bits & ((1 << (width - 1)) - 1) > ((1 << (width - 1 - fraction)) - 1) << fraction


def test_locations_may_be_defined_behind_their_use() -> None:
    text = """
    builtin.module {
      %0 = arith.constant 1 : i32 loc(#inner)
      %1 = arith.constant 1 : i32 loc(callsite("f"("x.py":1:2) at #outer))
    } loc(unknown)
    #outer = loc(fused[#inner, "g"])
    #inner = loc("c.py":9:8)
    """
    first, second = read_module(text, "in.mlir").ops
    assert first.location == FileLineColLoc(StringAttr("c.py"), IntAttr(9), IntAttr(8))
    assert "c.py" in str(second.location)


def test_resources_stand_where_they_are_used() -> None:
    text = """
    %0 = arith.constant dense_resource<some.weight> : tensor<2xf32>
    %1 = arith.constant dense_resource<"no data"> : tensor<2xf32>
    {-# dialect_resources: { builtin: { some.weight: "0x040000000000803F000000C0" } } #-}
    """
    for _ in range(2):
        given, missing = read_module(text, "in.mlir").ops
        assert "dense<[1.000000e+00, -2.000000e+00]>" in str(given)
        assert "dense_resource" in str(missing)
