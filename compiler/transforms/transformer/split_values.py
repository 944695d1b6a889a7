"""`split-values`: long sums of attention's values as partial sums, which lose less to rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import ml_dtypes
import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation

from softex_mlir.compiler.accuracy import ACCURACIES, Chunks, read_chunks
from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.transforms.transformer.split_token_sums import MOST, PART
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.transformer_attention import KEY_UNIT
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine


def split_values(
    module: ModuleOp, machine: Machine, chunk: int, layers: Chunks | None = None
) -> None:
    """Write `value_chunk` on every attention by whole rows of scores for which it leaves enough
    TCDM: the fewest equal chunks, of at most `chunk` keys each. 0 leaves the sums whole.

    Args:
        layers: the chunks of some of them, exactly.

    Raises:
        UserError: one of these is no attention, or cannot be summed so on the machine.
    """
    given = layers or {}
    left = set(given)
    for op in module.walk():
        if not isinstance(op, t.AttentionOp):
            continue
        name = layer_of(op)
        limit = given.get(name, chunk)
        found = value_chunk(op, machine, limit)
        if op.chunk is None:
            op.value_chunk = None if found is None else IntegerAttr(found, i64)
        if name in given:
            left.discard(name)
            if (found or 0) != limit:
                raise UserError(
                    f"values of layer '{name}': expected 0 for sums over all {op.keys} keys, or a "
                    f"multiple of {KEY_UNIT} in equal parts that fit the TCDM, found {limit}"
                )
    if left:
        names = ", ".join(map(repr, sorted(left)))
        raise UserError(f"values of layer {names}: no attention has this name")


def notes_on_keys(module: ModuleOp) -> list[str]:
    """What users are told of attention that adds up many keys' values in one chain of BF16."""
    found = [
        op
        for op in module.walk()
        if isinstance(op, t.AttentionOp)
        and op.keys > PART
        and op.value_chunk is None
        and op.wide is None
    ]
    if not found:
        return []
    layers = list(dict.fromkeys(map(layer_of, found)))
    others = f" and {len(layers) - 1} more" if layers[1:] else ""
    keys = max(op.keys for op in found)
    remedy = "exact adds them in float32" if keys > MOST else f"high adds {PART} at a time"
    return [
        f"attention over {keys} keys ('{layers[0]}'{others}) adds values in one chain of BF16: "
        f"where all weigh alike, equal values come out up to {lost_of_equal(keys):.0%} too small; "
        f"--accuracy {remedy}"
    ]


@cache
def lost_of_equal(count: int) -> float:
    """The most of a sum of equal numbers that a chain of BF16 additions loses."""
    terms = np.linspace(1, 2, 1024, endpoint=False)
    total = np.zeros_like(terms)
    for _ in range(count):
        total = (total + terms).astype(ml_dtypes.bfloat16).astype(np.float64)
    return float(1 - (total / (count * terms)).min())


def value_chunk(op: t.AttentionOp, machine: Machine, limit: int) -> int | None:
    """Keys of a partial sum, at most `limit`; None for whole sums."""
    from softex_mlir.compiler.schedule.plan import buffers_offset
    from softex_mlir.compiler.schedule.search.attention import attention_candidates
    from softex_mlir.compiler.schedule.search.chunks import whole_kernel

    keys = t.padded_keys(op.keys)
    # packed additions take two values at a time
    if not 0 < limit < keys or op.chunk is not None or op.position is not None or op.value_size % 2:
        return None
    if op.wide is not None:
        return None
    parts = -(-keys // limit)
    chunk = -(-keys // parts // KEY_UNIT) * KEY_UNIT
    module = op.get_toplevel_object()
    assert isinstance(module, Operation)
    base = buffers_offset(machine, module)
    kernel = replace(whole_kernel(machine, op, base), summed=chunk)
    fits = attention_candidates(kernel, machine.cluster.tcdm_bytes) is not None
    return chunk if fits else None


@dataclass(frozen=True)
class SplitValuesPass(MachinePass):
    """Attention sums values over at most `chunk` keys at a time; part of what it computes.

    Attention by chunks of keys, and to caches, keeps those that `chunk-keys` chose. 0: whole sums.
    """

    name = "split-values"

    chunk: int = ACCURACIES["high"].value_chunk
    layers: str = ""
    """Lines `"name" = chunk` of layers that have their own."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        split_values(op, self.target, self.chunk, read_chunks(self.layers))
