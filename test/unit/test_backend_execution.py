"""Compiled code computes, on the simulated core, what its source says."""

from __future__ import annotations

import numpy as np
import pytest
from backend_harness import BF16, DATA, read, run_function
from core_functions import CORE_FUNCTIONS
from xdsl.builder import Builder
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IndexType, MemRefType, ModuleOp, bf16, i32
from xdsl.ir import Block, Region
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler import bodies as kernels
from softex_mlir.compiler.bodies import RowRef, TileRef
from softex_mlir.compiler.bodies.tables import SILU_LINES
from softex_mlir.compiler.transforms.cluster.vectorize_packed_bf16 import vectorize_block
from softex_mlir.dialects.cluster import GetGlobalOp, TcdmSpace, ViewOp
from softex_mlir.isa_sim.numerics import rowwise

ROWS = 3
TABLE_OFFSET = 1 << 16


def place(arrays):
    """Addresses of arrays, one after the other."""
    addresses = []
    address = DATA
    for array in arrays:
        addresses.append(address)
        address += (array.nbytes + 67) // 64 * 64
    return addresses


def execute(arrays, emit, rows=ROWS, vectorised=True):
    """Compile a loop over rows whose body is emitted, run it, and return the arrays after it."""
    addresses = place(arrays)
    block = Block()
    builder = Builder(InsertPoint.at_end(block))
    views = []
    for array, address in zip(arrays, addresses, strict=True):
        constant = builder.insert(arith.ConstantOp.from_int_and_width(address, 32))
        element = i32 if array.dtype == np.int32 else bf16
        type_ = MemRefType(element, list(array.shape), memory_space=TcdmSpace())
        views.append(builder.insert(ViewOp(constant, type_)).memref)
    start, end, step = (
        builder.insert(arith.ConstantOp.from_int_and_width(v, IndexType())) for v in (0, rows, 1)
    )
    body = Block(arg_types=[IndexType()])
    inner = Builder(InsertPoint.at_end(body))
    emit(inner, views, body.args[0])
    inner.insert(scf.YieldOp())
    if vectorised:
        vectorize_block(body)
    table = DATA + TABLE_OFFSET
    for op in [op for op in body.walk() if isinstance(op, GetGlobalOp)]:
        constant = arith.ConstantOp.from_int_and_width(table, 32)
        block.insert_op_before(constant, start)
        view = ViewOp(constant, SILU_LINES.type)
        block.insert_op_before(view, start)
        op.memref.replace_all_uses_with(view.memref)
        op.detach()
        op.erase()
    builder.insert(scf.ForOp(start, end, step, [], Region(body)))
    builder.insert(func.ReturnOp())
    module = ModuleOp([func.FuncOp("kernel", ((), ()), Region(block))])
    memory = {**dict(zip(addresses, arrays, strict=True)), table: SILU_LINES.values()}
    tcdm, _, _ = run_function(module, "kernel", memory)
    return [
        read(tcdm, address, array.shape, array.dtype)
        for address, array in zip(addresses, arrays, strict=True)
    ]


def sample(shape, seed=0, spread=3.0):
    random = np.random.default_rng(seed)
    return (random.normal(size=shape) * spread).astype(BF16)


def same(found, expected):
    a, b = (np.asarray(x).astype(BF16).view(np.uint16) for x in (found, expected))
    assert np.array_equal(a, b), np.argwhere(a != b)[:5]


@pytest.mark.parametrize("columns", [1, 7, 48])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_binary(name, columns):
    x, y, out = sample((ROWS, columns)), sample((ROWS, columns), 1), sample((ROWS, columns), 2)
    result = execute(
        [x, y, out],
        lambda b, v, r: kernels.emit_binary(
            b, name, RowRef(v[0], (r,)), RowRef(v[1], (r,)), RowRef(v[2], (r,)), columns
        ),
    )
    same(result[2], getattr(rowwise, name)(x, y))


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("name", CORE_FUNCTIONS)
def test_unary(name, vectorised):
    x, out = sample((ROWS, 21)), sample((ROWS, 21), 2)
    result = execute(
        [x, out],
        lambda b, v, r: kernels.emit_unary(
            b, CORE_FUNCTIONS[name].function, RowRef(v[0], (r,)), RowRef(v[1], (r,)), 21
        ),
        vectorised=vectorised,
    )
    same(result[1], CORE_FUNCTIONS[name].exact(x))


@pytest.mark.parametrize("vectorised", [False, True])
def test_layer_norm(vectorised):
    x, gamma, beta, out = sample((ROWS, 48)), sample((48,), 1), sample((48,), 2), sample((ROWS, 48))
    x[1] += BF16(20.0)  # a row that is normalised in f32
    result = execute(
        [x, gamma, beta, out],
        lambda b, v, r: kernels.emit_layer_norm(
            b, RowRef(v[0], (r,)), RowRef(v[1]), RowRef(v[2]), RowRef(v[3], (r,)), 48, 1e-12
        ),
        vectorised=vectorised,
    )
    same(result[3], rowwise.layer_norm(x, gamma, beta, 1e-12))


def test_rms_norm():
    x, gamma, out = sample((ROWS, 48)), sample((48,), 1), sample((ROWS, 48))
    result = execute(
        [x, gamma, out],
        lambda b, v, r: kernels.emit_rms_norm(
            b, RowRef(v[0], (r,)), RowRef(v[1]), RowRef(v[2], (r,)), 48, 1e-6
        ),
    )
    same(result[2], rowwise.rms_norm(x, gamma, 1e-6))


@pytest.mark.parametrize("columns", [7, 48])
def test_softmax(columns):
    x, out = sample((ROWS, columns)), sample((ROWS, columns), 1)
    result = execute(
        [x, out],
        lambda b, v, r: kernels.emit_softmax(b, RowRef(v[0], (r,)), RowRef(v[1], (r,)), columns),
    )
    same(result[1], rowwise.softmax_software(x))


def test_gelu_finish():
    v, q, out = sample((ROWS, 21)), np.abs(sample((ROWS, 21), 1, 0.3)), sample((ROWS, 21))
    result = execute(
        [v, q, out],
        lambda b, a, r: kernels.emit_gelu_finish(
            b, RowRef(a[0], (r,)), RowRef(a[1], (r,)), RowRef(a[2], (r,)), 21
        ),
    )
    same(result[2], rowwise.gelu_finish(v, q))


def test_copy_and_fill():
    x, out = sample((ROWS, 21)), sample((ROWS, 21), 1)
    result = execute(
        [x, out],
        lambda b, v, r: kernels.emit_copy(b, RowRef(v[0], (r,)), RowRef(v[1], (r,)), 21),
    )
    same(result[1], x)
    result = execute([out], lambda b, v, r: kernels.emit_fill(b, RowRef(v[0], (r,)), -2.5, 21))
    same(result[0], np.full_like(out, -2.5))


def test_mask_to_bias():
    mask = np.random.default_rng(0).integers(0, 2, (ROWS, 21)).astype(np.int32)
    out = sample((ROWS, 32))
    result = execute(
        [mask, out],
        lambda b, v, r: kernels.emit_mask_to_bias(
            b, RowRef(v[0], (r,)), RowRef(v[1], (r,)), 21, 32
        ),
    )
    same(result[1], rowwise.mask_to_bias(mask, 32))


def test_position_ids():
    ids = np.random.default_rng(0).integers(0, 3, (ROWS, 21)).astype(np.int32)
    result = execute(
        [ids, np.zeros_like(ids)],
        lambda b, v, r: kernels.emit_position_ids(
            b, RowRef(v[0], (r,)), RowRef(v[1], (r,)), 21, 1, -1, 2
        ),
    )
    same(result[1], rowwise.position_ids(ids, 1, -1, 2))


def test_transpose():
    x, out = sample((7, 10)), sample((10, 8), 1)
    result = execute(
        [x, out],
        lambda b, v, r: kernels.emit_transpose(b, TileRef(v[0], ()), TileRef(v[1], ()), r, 7, 10),
        rows=4,
    )
    same(result[1][:, :7], x.T)


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "wide"),
    [(12, 20, 16, False), (8, 7, 14, False), (8, 6, 14, True)],
)
def test_gemm(rows, inner, columns, wide):
    x, w, z = sample((rows, inner)), sample((inner, columns), 1), sample((rows, columns), 2)
    result = execute(
        [x, w, z],
        lambda b, v, r: kernels.emit_gemm(
            b, TileRef(v[0]), TileRef(v[1]), TileRef(v[2]), r, rows, inner, columns, wide=wide
        ),
        rows=kernels.gemm_blocks(rows, columns, wide=wide),
    )
    same(result[2], (rowwise.gemm_wide if wide else rowwise.gemm_on_cores)(x, w, z))


def test_pointers_of_equal_steps_far_apart():
    # a and c share a pointer's terms but not its reach: theirs are the first and the third pointer
    a, b, c = sample((ROWS, 600)), sample((ROWS, 40), 1), np.zeros((ROWS, 600), BF16)

    def emit(builder, views, row):
        x, y, out = (RowRef(view, (row,)) for view in views)
        kernels.emit_binary(builder, "mul", x, y, out, 40)

    _, _, found = execute([a, b, c], emit, vectorised=False)
    same(found[:, :40], rowwise.mul(a[:, :40], b))
