"""Reading textual IR: every text is a module or one line that says where it goes wrong."""

from pathlib import Path

import pytest
from xdsl.dialects.builtin import StringAttr

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
        ("%0 = arith.constant 1 : i32\n%1 = arith.addi %0, %2 : i32", "2:", "not defined: [%2]"),
        ('%b = "arith.addi"() : () -> i32', "1:1", "Expected 2 operands"),
    ],
)
def test_errors_name_the_place(text: str, place: str, message: str):
    with pytest.raises(TextError) as info:
        read_module(text, "in.mlir")
    assert str(info.value).startswith(f"in.mlir:{place}")
    assert message in str(info.value)
    assert "\n" not in str(info.value)


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
