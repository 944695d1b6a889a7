"""Each float operation on pairs of special values: compiled code against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from backend_harness import BF16, DATA, read, run_function
from xdsl.context import Context
from xdsl.parser import Parser

from softex_mlir.dialects import register_all_dialects

VALUES = np.array(
    [0.0, -0.0, 1.0, -1.0, 1.5, -2.75, 3e38, -3e38, 1e-40, 0.1, 7.0, np.inf, -np.inf, np.nan],
    dtype=np.float32,
)
TYPES = {"f32": np.float32, "bf16": BF16}
PAIRS = len(VALUES) ** 2


def operands(dtype):
    values = VALUES.astype(dtype)
    return np.repeat(values, len(values)), np.tile(values, len(values))


def run(lines: str, kind: str, result_type: str, result_dtype, floats=32):
    """A loop that computes %r from %a and %b for all pairs."""
    x, y = operands(TYPES[kind])
    sizes = {"f32": 4, "bf16": 2, "i32": 4}
    second = DATA + PAIRS * sizes[kind]
    third = second + PAIRS * sizes[kind]
    third += -third % 4
    memory = f"memref<{PAIRS}x{kind}, #cluster.tcdm>"
    output = f"memref<{PAIRS}x{result_type}, #cluster.tcdm>"
    text = f"""
    func.func @pairs() {{
      %x0 = arith.constant {DATA} : i32
      %y0 = arith.constant {second} : i32
      %z0 = arith.constant {third} : i32
      %x = cluster.view %x0 : {memory}
      %y = cluster.view %y0 : {memory}
      %z = cluster.view %z0 : {output}
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %n = arith.constant {PAIRS} : index
      scf.for %i = %zero to %n step %one {{
        %a = memref.load %x[%i] : {memory}
        %b = memref.load %y[%i] : {memory}
        {lines}
        memref.store %r, %z[%i] : {output}
      }}
      func.return
    }}"""
    context = Context()
    register_all_dialects(context)
    module = Parser(context, text).parse_module()
    tcdm, _, _ = run_function(module, "pairs", {DATA: x, second: y}, floats=floats)
    return read(tcdm, third, (PAIRS,), result_dtype)


def agree(found, expected, kind):
    """Bit for bit, any NaN for a NaN."""
    bits = np.uint32 if kind == "f32" else np.uint16
    expected = np.asarray(expected).astype(TYPES[kind])
    nan = np.isnan(expected.astype(np.float32))
    assert np.array_equal(np.isnan(found.astype(np.float32)), nan)
    same = found.view(bits) == expected.view(bits)
    assert np.all(same | nan), [
        (float(a), float(b), float(f), float(e))
        for a, b, f, e in zip(
            *(v[~(same | nan)] for v in (*operands(TYPES[kind]), found, expected)), strict=True
        )
    ][:5]


def number_max(a, b):
    larger = np.where((a > b) | ((a == b) & ~np.signbit(a)), a, b)
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, larger))


BINARY = {
    "arith.addf": lambda a, b: a + b,
    "arith.subf": lambda a, b: a - b,
    "arith.mulf": lambda a, b: a * b,
    "arith.divf": lambda a, b: a / b,
    "arith.maxnumf": number_max,
    "arith.minnumf": lambda a, b: -number_max(-a, -b),
    "arith.maximumf": lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.nan, number_max(a, b)),
    "arith.minimumf": lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.nan, -number_max(-a, -b)),
    "math.copysign": np.copysign,
}
UNARY = {
    "arith.negf": lambda a: -a,
    "math.absf": np.abs,
    "math.sqrt": np.sqrt,
}
PREDICATES = {
    "oeq": lambda a, b, u: a == b,
    "ogt": lambda a, b, u: a > b,
    "oge": lambda a, b, u: a >= b,
    "olt": lambda a, b, u: a < b,
    "ole": lambda a, b, u: a <= b,
    "one": lambda a, b, u: (a != b) & ~u,
    "ord": lambda a, b, u: ~u,
    "ueq": lambda a, b, u: (a == b) | u,
    "ugt": lambda a, b, u: (a > b) | u,
    "uge": lambda a, b, u: (a >= b) | u,
    "ult": lambda a, b, u: (a < b) | u,
    "ule": lambda a, b, u: (a <= b) | u,
    "une": lambda a, b, u: a != b,
    "uno": lambda a, b, u: u,
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, kind):
    a, b = operands(TYPES[kind])
    with np.errstate(all="ignore"):
        expected = BINARY[name](a.astype(np.float32), b.astype(np.float32)).astype(TYPES[kind])
    agree(run(f"%r = {name} %a, %b : {kind}", kind, kind, TYPES[kind]), expected, kind)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, kind):
    a, _ = operands(TYPES[kind])
    with np.errstate(all="ignore"):
        expected = UNARY[name](a.astype(np.float32)).astype(TYPES[kind])
    agree(run(f"%r = {name} %a : {kind}", kind, kind, TYPES[kind]), expected, kind)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("predicate", PREDICATES)
def test_compare_and_select(predicate, kind):
    a, b = operands(TYPES[kind])
    x, y = a.astype(np.float32), b.astype(np.float32)
    unordered = np.isnan(x) | np.isnan(y)
    lines = f"""%c = arith.cmpf {predicate}, %a, %b : {kind}
        %r = arith.select %c, %b, %a : {kind}"""
    expected = np.where(PREDICATES[predicate](x, y, unordered), y, x)
    agree(run(lines, kind, kind, TYPES[kind]), expected, kind)


def test_fma_of_bf16_rounds_once():
    a, b = (v.astype(np.float64) for v in operands(BF16))
    with np.errstate(all="ignore"):
        expected = (a * b + a).astype(np.float32)
    found = run("%r = math.fma %a, %b, %a : bf16", "bf16", "bf16", BF16)
    # a * b + a of these values is exact in f64 and in f32 unless it overflows.
    agree(found, expected.astype(BF16), "bf16")


@pytest.mark.parametrize("kind", TYPES)
def test_to_integer(kind):
    a, _ = operands(TYPES[kind])
    lines = f"%r = arith.fptosi %a : {kind} to i32"
    found = run(lines, kind, "i32", np.int32)
    inside = np.abs(a.astype(np.float32)) < 1e9
    with np.errstate(all="ignore"):
        assert np.array_equal(found[inside], a[inside].astype(np.float32).astype(np.int32))


@pytest.mark.parametrize("kind", TYPES)
def test_from_integer(kind):
    bits = "i32" if kind == "f32" else "i16"
    lines = f"""%w = arith.bitcast %b : {kind} to {bits}
        {"%v = arith.addi %w, %w : i32" if kind == "f32" else "%v = arith.extsi %w : i16 to i32"}
        %r = arith.sitofp %v : i32 to {kind}"""
    _, b = operands(TYPES[kind])
    if kind == "f32":
        integer = (b.view(np.int32).astype(np.int64) * 2).astype(np.int32)
    else:
        integer = b.view(np.int16).astype(np.int32)
    agree(run(lines, kind, kind, TYPES[kind]), integer.astype(np.float64).astype(np.float32), kind)


def test_float_registers_spill():
    lines = "\n".join(f"%s{i} = arith.mulf %a, %c{i} : f32" for i in range(12))
    constants = "\n".join(f"%c{i} = arith.constant {i + 1}.0 : f32" for i in range(12))
    sums = "%t0 = arith.addf %s0, %b : f32\n" + "\n".join(
        f"%t{i} = arith.addf %t{i - 1}, %s{i} : f32" for i in range(1, 12)
    )
    text = f"{constants}\n{lines}\n{sums}\n%r = arith.addf %t11, %s0 : f32"
    found = run(text, "f32", "f32", np.float32, floats=5)
    agree(found, run(text, "f32", "f32", np.float32), "f32")
