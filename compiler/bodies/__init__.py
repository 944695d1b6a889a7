"""Code of the cores: functions that emit the loops over one row or one block of rows.

A kernel is emitted at an xDSL builder's insertion point, usually inside a `cluster.parallel`:

>>> row = RowRef(tile, (slot, r))
>>> emit_layer_norm(builder, row, RowRef(gamma), RowRef(beta), row, columns=768, epsilon=1e-12)

What each computes, bit for bit, is the function of :mod:`softex_mlir.isa_sim.numerics.rowwise`
without the `emit_`.
"""

from softex_mlir.compiler.bodies.elementwise import (
    GELU_SQUARE,
    LOWEST_BF16,
    CoreFunction,
    emit_accumulate,
    emit_binary,
    emit_copy,
    emit_fill,
    emit_gelu_finish,
    emit_mask_to_bias,
    emit_mul_add,
    emit_position_ids,
    emit_rotary,
    emit_unary,
)
from softex_mlir.compiler.bodies.emit import Emitter, RowRef, TileRef
from softex_mlir.compiler.bodies.matrix import (
    REPEAT_COLUMNS,
    emit_gemm,
    emit_repeat_row,
    emit_transpose,
    gemm_blocks,
)
from softex_mlir.compiler.bodies.normalisation import (
    emit_after_softex,
    emit_before_softex,
    emit_layer_norm,
    emit_rms_norm,
    emit_softmax,
    emit_softmax_of_pieces,
)

__all__ = [
    "GELU_SQUARE",
    "LOWEST_BF16",
    "REPEAT_COLUMNS",
    "CoreFunction",
    "Emitter",
    "RowRef",
    "TileRef",
    "emit_accumulate",
    "emit_after_softex",
    "emit_before_softex",
    "emit_binary",
    "emit_copy",
    "emit_fill",
    "emit_gelu_finish",
    "emit_gemm",
    "emit_layer_norm",
    "emit_mask_to_bias",
    "emit_mul_add",
    "emit_position_ids",
    "emit_repeat_row",
    "emit_rms_norm",
    "emit_rotary",
    "emit_softmax",
    "emit_softmax_of_pieces",
    "emit_transpose",
    "emit_unary",
    "gemm_blocks",
]
