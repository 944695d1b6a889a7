"""`chunk-keys`: attention over more keys than the TCDM can hold well goes by chunks of them."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine


def chunk_keys(module: ModuleOp, machine: Machine) -> None:
    """Write or remove `key_chunk` on every attention, and with it `value_chunk` and `whole_keys`,
    in place."""
    from softex_mlir.compiler.schedule.plan import buffers_offset
    from softex_mlir.compiler.schedule.search.chunks import chunks_of

    base = buffers_offset(machine, module)
    for op in module.walk():
        if isinstance(op, t.AttentionOp):
            op.key_chunk = op.value_chunk = op.whole_keys = None
            chunk, part, whole = chunks_of(machine, op, base)
            op.key_chunk = None if chunk is None else IntegerAttr(chunk, i64)
            op.value_chunk = None if part is None else IntegerAttr(part, i64)
            op.whole_keys = None if whole is None else IntegerAttr(whole, i64)


@dataclass(frozen=True)
class ChunkKeysPass(MachinePass):
    """Chooses `key_chunk` of every attention, and with it `value_chunk`; part of what it computes.

    Attention by whole rows of scores stays where it fits and is as fast. Attention to a cache goes
    by whole rows as far as they fit, then by chunks of a block: numbers that depend on the machine
    and the head, not on the capacity of the cache nor on the number of queries, so that neither
    changes what is computed. Attention over more than 256 keys always goes by chunks: their values
    are summed over 64 keys at a time, as chains of more keys that weigh alike come out too small.
    """

    name = "chunk-keys"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chunk_keys(op, self.target)
