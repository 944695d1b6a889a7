"""`split-values`: long sums of attention's values as partial sums, which lose less to rounding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from softex_mlir.compiler.accuracy import ACCURACIES
from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.transformer_attention import KEY_UNIT
from softex_mlir.isa_sim.machine import Machine


def split_values(module: ModuleOp, machine: Machine, chunk: int) -> None:
    """Write `value_chunk` on every attention by whole rows of scores for which it leaves enough
    TCDM: the fewest equal chunks, of at most `chunk` keys each. 0 leaves the sums whole."""
    for op in module.walk():
        if isinstance(op, t.AttentionOp):
            op.value_chunk = None
            found = _chunk(op, machine, chunk)
            op.value_chunk = None if found is None else IntegerAttr(found, i64)


def _chunk(op: t.AttentionOp, machine: Machine, limit: int) -> int | None:
    from softex_mlir.compiler.schedule.plan import buffers_offset
    from softex_mlir.compiler.schedule.search.chunks import whole_kernel
    from softex_mlir.compiler.schedule.search.tiling import attention_candidates

    keys = t.padded_keys(op.keys)
    # packed additions take two values at a time
    if not 0 < limit < keys or op.chunk is not None or op.position is not None or op.value_size % 2:
        return None
    parts = -(-keys // limit)
    chunk = -(-keys // parts // KEY_UNIT) * KEY_UNIT
    op.value_chunk = IntegerAttr(chunk, i64)
    kernel = whole_kernel(machine, op, buffers_offset(machine))
    fits = attention_candidates(kernel, machine.cluster.tcdm_bytes) is not None
    return chunk if fits else None


@dataclass(frozen=True)
class SplitValuesPass(MachinePass):
    """Attention sums values over at most `chunk` keys at a time; part of what it computes.

    Attention by chunks of keys, and to caches, keeps whole sums. 0: whole sums everywhere.
    """

    name = "split-values"

    chunk: int = ACCURACIES["high"].value_chunk

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        split_values(op, self.target, self.chunk)
