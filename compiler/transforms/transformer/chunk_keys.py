"""`chunk-keys`: attention over more keys than the TCDM can hold well goes by chunks of them."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine


def chunk_keys(module: ModuleOp, machine: Machine) -> None:
    """Write or remove `key_chunk` on every attention, in place."""
    from softex_mlir.compiler.schedule.plan import buffers_offset
    from softex_mlir.compiler.schedule.search.chunks import cache_chunk, key_chunk

    base = buffers_offset(machine)
    for op in module.walk():
        if isinstance(op, t.AttentionOp):
            choose = key_chunk if op.position is None else cache_chunk
            chunk = choose(machine, op, base)
            op.key_chunk = None if chunk is None else IntegerAttr(chunk, i64)


@dataclass(frozen=True)
class ChunkKeysPass(MachinePass):
    """Chooses `key_chunk` of every attention, part of what it computes.

    Attention by whole rows of scores stays where it fits and is as fast. Attention to a cache goes
    by chunks of as many keys as fit in whole rows: a number that depends on the machine and the
    head, not on the capacity of the cache nor on the number of queries, so that neither changes
    what is computed.
    """

    name = "chunk-keys"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chunk_keys(op, self.target)
