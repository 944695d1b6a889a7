"""The core kernels' IR computes what rowwise defines, before and after vectorisation."""

from __future__ import annotations

import runpy
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from core_functions import CORE_FUNCTIONS
from xdsl.builder import Builder
from xdsl.dialects.builtin import IndexType, MemRefType, bf16, i32
from xdsl.ir import Block
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler import bodies as kernels
from softex_mlir.compiler.bodies import RowRef, TileRef
from softex_mlir.compiler.transforms.cluster.vectorize_packed_bf16 import vectorize_block
from softex_mlir.isa_sim.numerics import rowwise

Interpreter = runpy.run_path(str(Path(__file__).with_name("kernel_interpreter.py")))["Interpreter"]
BF16 = ml_dtypes.bfloat16
WIDTHS = (1, 2, 7, 8, 21, 48)
SPECIAL = np.array(
    [
        0x0000,
        0x8000,
        0x7F80,
        0xFF80,
        0x7FC0,
        0x0001,
        0x8001,
        0x7F7F,
        0xFF7F,
        0x3F80,
        0xBF80,
        0x00FF,
    ],
    dtype=np.uint16,
).view(BF16)


def sample(shape, seed=0, spread=3.0):
    random = np.random.default_rng(seed)
    return (random.normal(size=shape) * spread).astype(BF16)


def execute(arrays, emit, *, vectorised=False, indices=()):
    """Emit a kernel over memrefs of the arrays (and index arguments), and interpret it."""
    types = [MemRefType(i32 if a.dtype == np.int32 else bf16, list(a.shape)) for a in arrays]
    block = Block(arg_types=[*types, *(IndexType() for _ in indices)])
    emit(Builder(InsertPoint.at_end(block)), *block.args)
    for op in block.ops:
        op.verify()
    if vectorised:
        vectorize_block(block)
        for op in block.ops:
            op.verify()
    interpreter = Interpreter(dict(zip(block.args, [*arrays, *indices], strict=True)))
    interpreter.run(block)
    return interpreter


def same(found, expected):
    np.testing.assert_array_equal(found.view(np.uint16), expected.view(np.uint16))


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("operation", ["add", "sub", "mul"])
def test_binary(operation, columns, vectorised):
    x, y, out = sample((1, columns)), sample((1, columns), 1), sample((1, columns))

    def emit(b, x_, y_, out_, i):
        kernels.emit_binary(
            b, operation, *(RowRef(m, (i,)) for m in (x_, y_, out_)), columns=columns
        )

    execute([x, y, out], emit, vectorised=vectorised, indices=[0])
    same(out, getattr(rowwise, operation)(x, y))


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("function", CORE_FUNCTIONS)
def test_unary(function, vectorised):
    x = np.concatenate([sample(27), SPECIAL])
    out = np.zeros_like(x)

    def emit(b, x_, out_):
        kernels.emit_unary(b, CORE_FUNCTIONS[function].function, RowRef(x_), RowRef(out_), len(x))

    execute([x, out], emit, vectorised=vectorised)
    same(out, CORE_FUNCTIONS[function].exact(x))


@pytest.mark.parametrize("vectorised", [False, True])
def test_gelu_finish(vectorised):
    v = np.concatenate([sample(26), SPECIAL, [BF16(-0.0)]]).astype(BF16)
    q = np.minimum(np.abs(sample(39, 1)) * BF16(0.1), BF16(0.5)).astype(BF16)

    def emit(b, v_, q_):
        kernels.emit_gelu_finish(b, RowRef(v_), RowRef(q_), RowRef(q_), len(v))

    expected = rowwise.gelu_finish(v, q)
    execute([v, q], emit, vectorised=vectorised)
    same(q, expected)


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("wide", [False, True])
def test_norms(wide, columns, vectorised):
    x, gamma, beta = sample(columns), sample(columns, 1), sample(columns, 2)
    out = np.zeros_like(x)

    def layer(b, *m):
        kernels.emit_layer_norm(b, *map(RowRef, m), columns=columns, epsilon=1e-5, wide=wide)

    execute([x, gamma, beta, out], layer, vectorised=vectorised)
    exact = rowwise.layer_norm_wide if wide else rowwise.layer_norm
    same(out, exact(x, gamma, beta, 1e-5))

    def rms(b, *m):
        kernels.emit_rms_norm(b, *map(RowRef, m), columns=columns, epsilon=1e-6, wide=wide)

    execute([x, gamma, out], rms, vectorised=vectorised)
    exact = rowwise.rms_norm_wide if wide else rowwise.rms_norm
    same(out, exact(x, gamma, 1e-6))


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("columns", WIDTHS)
def test_softmax(columns, vectorised):
    x = sample(columns)
    if columns > 8:
        x[-3:] = -np.inf
    expected = rowwise.softmax_software(x)

    def emit(b, x_):
        kernels.emit_softmax(b, RowRef(x_), RowRef(x_), columns)

    execute([x], emit, vectorised=vectorised)
    same(x, expected)


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize(("pieces", "columns"), [(1, 8), (3, 10), (2, 32)])
def test_softmax_of_pieces_is_that_of_the_row(pieces, columns, vectorised):
    x = sample((pieces, columns))
    x[-1, -3:] = -np.inf
    expected = rowwise.softmax_software(x.reshape(1, -1)).reshape(x.shape)

    def emit(b, x_):
        kernels.emit_softmax_of_pieces(b, lambda _, n: RowRef(x_, (n,)), pieces, columns)

    execute([x], emit, vectorised=vectorised)
    same(x, expected)


def test_mask_to_bias():
    mask = np.array([1, 1, 0, 1, 0], dtype=np.int32)
    out = np.zeros(16, dtype=BF16)

    def emit(b, mask_, out_):
        kernels.emit_mask_to_bias(b, RowRef(mask_), RowRef(out_), 5, 16)

    execute([mask, out], emit, vectorised=True)
    same(out, rowwise.mask_to_bias(mask, 16))


def test_mask_to_bias_on_a_base():
    mask = np.array([0, 1, 0, 1, 0], dtype=np.int32)
    base = sample((16,))
    out = base.copy()

    def emit(b, mask_, out_):
        row = RowRef(out_)
        kernels.emit_mask_to_bias(b, RowRef(mask_), row, 5, 16, base=row, inverted=True)

    execute([mask, out], emit, vectorised=True)
    expected = rowwise.mask_to_bias(1 - mask, 16)
    expected[:5] = np.where(mask == 0, base[:5], expected[:5])
    same(out, expected)


def test_position_ids():
    ids = np.array([7, 7, 1, 9, 1, 3], dtype=np.int32)
    out = np.zeros(6, dtype=np.int32)

    def emit(b, ids_, out_):
        kernels.emit_position_ids(b, RowRef(ids_), RowRef(out_), 6, 1, 1, 0)

    execute([ids, out], emit, vectorised=True)
    same(out, np.array([2, 3, 0, 4, 0, 5], dtype=np.int32))


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("columns", WIDTHS)
def test_mul_add(columns, vectorised):
    x, factor, addend = (sample((1, columns), seed) for seed in range(3))
    expected = rowwise.add(rowwise.mul(x, factor), addend)

    def emit(b, x_, factor_, addend_, i):
        rows = [RowRef(m, (i,)) for m in (x_, factor_, addend_)]
        kernels.emit_mul_add(b, *rows, out=rows[0], columns=columns)

    execute([x, factor, addend], emit, vectorised=vectorised, indices=[0])
    same(x, expected)


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("size", [2, 6, 8, 48])
def test_rotary(size, vectorised):
    """Heads in place, halves of odd and of even columns."""
    x, table = sample((1, 3 * size)), sample((1, 2 * size), 1)
    heads = x.reshape(3, size)
    kept = rowwise.mul(heads, table[:, :size].repeat(3, 0))
    turned = rowwise.mul(np.roll(heads, size // 2, 1), table[:, size:].repeat(3, 0))
    expected = rowwise.add(kept, turned).reshape(1, -1)

    def emit(b, x_, table_, i):
        row = RowRef(x_, (i,))
        kernels.emit_rotary(b, row, RowRef(table_, (i,)), row, size, 3 * size)

    execute([x, table], emit, vectorised=vectorised, indices=[0])
    same(x, expected)


def test_repeat_row():
    x, out = sample((1, 64)), sample((5, 48), 1)
    expected = out.copy()
    expected[:, 16:32] = x[0, 32:48]

    def emit(b, x_, out_, zero, start, group):
        row = RowRef(x_, (zero,), start)
        kernels.emit_repeat_row(b, row, TileRef(out_), group, 5)

    execute([x, out], emit, indices=[0, 16, 1])
    same(out, expected)


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (4, 6), (5, 7)])
def test_transpose(rows, columns):
    x = sample((rows, columns))
    x = np.pad(x, ((0, 0), (0, columns % 2)))
    out = np.full((columns, rows + rows % 2), 9.0, dtype=BF16)

    def emit(b, x_, out_, pair):
        kernels.emit_transpose(b, TileRef(x_), TileRef(out_), pair, rows, columns)

    for pair in range((rows + 1) // 2):
        execute([x, out], emit, indices=[pair])
    same(out[:, :rows].copy(), x[:, :columns].T.copy())
    assert not out[:, rows:].astype(np.float32).any()


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "wide"),
    [(6, 8, 8, False), (8, 5, 10, False), (3, 16, 2, False), (8, 6, 10, True), (3, 16, 2, True)],
)
def test_gemm(rows, inner, columns, wide):
    x, w, z = sample((rows, inner)), sample((inner, columns), 1), sample((rows, columns), 2)
    expected = (rowwise.gemm_wide if wide else rowwise.gemm_on_cores)(x, w, z)

    def emit(b, x_, w_, z_, block):
        tiles = TileRef(x_), TileRef(w_), TileRef(z_)
        kernels.emit_gemm(b, *tiles, block, rows, inner, columns, wide=wide)

    for block in range(kernels.gemm_blocks(rows, columns, wide=wide)):
        execute([x, w, z], emit, indices=[block])
    same(z, expected)


def test_vectorised_code_runs_fewer_operations():
    x, out = sample(96), np.zeros(96, dtype=BF16)

    def emit(b, x_, out_):
        kernels.emit_gelu_finish(b, RowRef(x_), RowRef(x_), RowRef(out_), 96)

    scalar = execute([x, out], emit).executed
    assert execute([x, out], emit, vectorised=True).executed < 0.7 * scalar
