"""Cycles an element of the core kernels, compiled and run on one core: the README's table holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_backend_execution
from backend_harness import run_function
from core_functions import CORE_FUNCTIONS

from softex_mlir.compiler import bodies as kernels
from softex_mlir.compiler.bodies import RowRef, TileRef
from softex_mlir.isa_sim.core import state as st

ROWS = 4
SLACK = 1.03
"""The code generator may improve freely, but lose no more than this."""


@pytest.fixture
def cycles(monkeypatch):
    """A function that compiles and runs a kernel and returns its cycles with the code in the
    instruction cache."""
    seen = []

    def watched(*arguments):
        result: Any = run_function(*arguments)
        counters = result[1].s[0]
        seen.append(int(counters[st.CYCLE] - counters[st.FETCH_STALLS]))
        return result

    monkeypatch.setattr(test_backend_execution, "run_function", watched)

    def measure(arrays, emit, rows=ROWS):
        test_backend_execution.execute(arrays, emit, rows=rows)
        return seen[-1]

    return measure


def emit_named(name, columns):
    """Emission of a kernel by name, its memrefs in order; those of rank 2 are indexed by row."""

    def emit(builder, views, row):
        refs = [RowRef(v, (row,) if len(v.type.get_shape()) == 2 else ()) for v in views]
        match name:
            case "layer_norm" | "layer_norm_wide":
                wide = name.endswith("_wide")
                kernels.emit_layer_norm(builder, *refs, columns=columns, epsilon=1e-5, wide=wide)
            case "rms_norm" | "rms_norm_wide":
                wide = name.endswith("_wide")
                kernels.emit_rms_norm(builder, *refs, columns=columns, epsilon=1e-5, wide=wide)
            case "softmax":
                kernels.emit_softmax(builder, *refs, columns=columns)
            case "gelu_finish":
                kernels.emit_gelu_finish(builder, *refs, columns=columns)
            case "copy":
                kernels.emit_copy(builder, *refs, columns=columns)
            case "mul_add":
                kernels.emit_mul_add(builder, *refs, columns=columns)
            case "rotary":
                kernels.emit_rotary(builder, *refs, size=64, columns=columns)
            case "add":
                kernels.emit_binary(builder, name, *refs, columns=columns)
            case _:
                kernels.emit_unary(builder, CORE_FUNCTIONS[name].function, *refs, columns=columns)

    return emit


@pytest.mark.parametrize(
    ("name", "columns", "operands", "expected"),
    [
        ("copy", 768, "xx", 1.02),
        ("gelu_square", 768, "xx", 1.64),
        ("add", 768, "xxx", 2.21),
        ("mul_add", 768, "xggx", 3.27),
        ("rotary", 768, "xxx", 3.7),
        ("gelu_finish", 768, "xxx", 3.71),
        ("gelu_software", 768, "xx", 12.36),
        ("silu", 768, "xx", 12.27),
        ("sigmoid", 768, "xx", 23.6),
        ("layer_norm", 768, "xggx", 5.93),
        ("layer_norm_wide", 768, "xggx", 11.02),
        ("rms_norm", 768, "xgx", 4.45),
        ("rms_norm_wide", 768, "xgx", 8.44),
        ("relu", 768, "xx", 2.78),
        ("exp", 768, "xx", 15.5),
        ("softmax", 208, "xx", 18.8),
    ],
)
def test_rows(cycles, name, columns, operands, expected):
    arrays = [
        test_backend_execution.sample((ROWS, columns) if kind == "x" else (columns,), seed)
        for seed, kind in enumerate(operands)
    ]
    found = cycles(arrays, emit_named(name, columns)) / (ROWS * columns)
    assert found <= expected * SLACK


def test_transposition(cycles):
    arrays = [test_backend_execution.sample((64, 64), seed) for seed in range(2)]

    def emit(builder, views, pair):
        kernels.emit_transpose(builder, TileRef(views[0]), TileRef(views[1]), pair, 64, 64)

    assert cycles(arrays, emit, rows=32) / 64**2 <= 1.57 * SLACK


def test_repeated_row(cycles):
    arrays = [test_backend_execution.sample(shape) for shape in ((1, 128), (96, 128))]

    def emit(builder, views, group):
        row = RowRef(views[0], (kernels.Emitter(builder).index(0),))
        kernels.emit_repeat_row(builder, row, TileRef(views[1]), group, 96)

    assert cycles(arrays, emit, rows=8) / (96 * 128) <= 0.51 * SLACK


def test_gemm(cycles):
    shapes = ((24, 96), (96, 96), (24, 96))
    arrays = [test_backend_execution.sample(shape, seed) for seed, shape in enumerate(shapes)]

    def emit(builder, views, block):
        kernels.emit_gemm(builder, *map(TileRef, views), block=block, rows=24, inner=96, columns=96)

    found = cycles(arrays, emit, rows=kernels.gemm_blocks(24, 96))
    assert found / np.prod((24, 96, 96)) <= 0.75 * SLACK
