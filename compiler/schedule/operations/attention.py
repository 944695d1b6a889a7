"""Attention: by whole rows of scores, or by chunks of keys where the operation has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from softex_mlir.compiler.operation_machine import machine_for
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.schedule.kernels.alternatives import alternatives
from softex_mlir.compiler.schedule.kernels.attention.chunked import ChunkedAttentionKernel
from softex_mlir.compiler.schedule.kernels.attention.whole_rows import AttentionKernel
from softex_mlir.compiler.schedule.kernels.transposition import TransposeKernel
from softex_mlir.compiler.schedule.operations.copies import matrix_of, run_time_position
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedules
from softex_mlir.compiler.schedule.search.attention import attention_candidates
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.schedule.search.chunks import (
    best_chunks,
    chunk_lengths,
    chunked_kernel,
    chunks_of,
    transposition,
    whole_kernel,
)
from softex_mlir.compiler.schedule.views import Address, View
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.transformer_attention import KEY_BLOCK

_ATTENTION = (AttentionKernel, ChunkedAttentionKernel)
_KernelT = TypeVar("_KernelT", AttentionKernel, ChunkedAttentionKernel)


@schedules(tf.AttentionOp)
def schedule_attention(op: tf.AttentionOp, s: Scheduling) -> None:
    """Launches by whole rows of scores, or by chunks of keys where the operation has them."""
    target = s.memory.allocate(tf.shape_of(op.result), "bf16", "attention")
    out = target.matrix()
    assert out is not None
    matrices = {
        "q_l2": matrix_of(s, op, s.view(op.q)),
        "v_l2": matrix_of(s, op, s.view(op.v)),
        "bias": matrix_of(s, op, s.view(op.bias)),
        "out": out,
    }
    if op.position is not None:
        matrices["kt_l2"] = _columns_of(s, op)
        attend_to_cache(s, op, matrices)
    else:
        turned = s.view(op.k).permuted((1, 0)).matrix()
        if isinstance(op.k.owner, tf.RecallOp) and turned is not None:
            matrices["kt_l2"] = turned
        else:
            matrices["k_l2"] = matrix_of(s, op, s.view(op.k))
        by_rows_or_chunks = _by_rows if op.chunk is None else _by_chunks
        by_rows_or_chunks(s, op, matrices)
    s.values[op.result] = target


def _by_rows(s: Scheduling, op: tf.AttentionOp, matrices: dict[str, View]) -> None:
    found = _rows_kernel(s, op, matrices, op.keys)
    for index in range(op.batch.value.data):
        _attend(s, op, found, index, _parts(op, matrices, index))


def _rows_kernel(
    s: Scheduling, op: tf.AttentionOp, matrices: dict[str, View], keys: int
) -> AttentionKernel:
    kernel = _placed(op, whole_kernel(s.machine, op, s.plan.base, keys), matrices)
    turned = "kt_l2" in matrices
    kernel = replace(kernel, k_pitch=_keys_of(matrices).strides[0], turned=turned)
    found = attention_candidates(kernel, s.machine.cluster.tcdm_bytes)
    if found is None:
        raise _overflow(s, op, kernel)
    return found


def _by_chunks(s: Scheduling, op: tf.AttentionOp, matrices: dict[str, View]) -> None:
    found = _chunks_kernel(s, op, matrices, op.keys)
    scratch = _scratch(s, found)
    for index in range(op.batch.value.data):
        parts = _parts(op, matrices, index)
        if "k_l2" in parts:
            parts["kt_l2"] = _transposed(s, op, found, parts.pop("k_l2"))
        _attend(s, op, found, index, parts, scratch)


def _chunks_kernel(
    s: Scheduling, op: tf.AttentionOp, matrices: dict[str, View], keys: int
) -> ChunkedAttentionKernel:
    assert op.chunk is not None
    kernel = _placed(op, chunked_kernel(s.machine, op, s.plan.base, keys), matrices)
    if "kt_l2" in matrices:
        kernel = replace(kernel, kt_pitch=matrices["kt_l2"].strides[0])
    found = best_chunks(kernel, (op.chunk,), s.machine.cluster.tcdm_bytes)
    if found is None:
        raise _overflow(s, op, kernel)
    return found


def _placed(op: tf.AttentionOp, kernel: _KernelT, matrices: dict[str, View]) -> _KernelT:
    """The kernel for operands that lie so. Heads of one query that share keys are rows of an item:
    keys and values are read once for all of them."""
    kernel = replace(
        kernel,
        q_pitch=matrices["q_l2"].strides[0],
        v_pitch=matrices["v_l2"].strides[0],
        bias_pitch=matrices["bias"].strides[0],
        out_pitch=matrices["out"].strides[0],
    )
    group = kernel.group
    if group == 1 or op.queries > 1 or op.bias_by_head:
        return kernel
    return replace(
        kernel,
        heads=kernel.key_heads,
        queries=group,
        rows=group,
        q_pitch=kernel.size,
        q_step=group * kernel.size,
        bias_pitch=0,
        out_pitch=kernel.value_size,
        out_step=group * kernel.value_size,
    )


def _keys_of(matrices: dict[str, View]) -> View:
    """Keys, or a cache of them, transposed."""
    return matrices["kt_l2"] if "kt_l2" in matrices else matrices["k_l2"]


def attend_to_cache(s: Scheduling, op: tf.AttentionOp, matrices: dict[str, View]) -> None:
    """One launch a batch element, of the kernel for as many blocks of keys as there are: by whole
    rows one for each number, by chunks of a block one for all."""
    assert op.position is not None
    position = run_time_position(s, op, op.position)

    whole = op.keys if op.whole is None else op.whole
    counted = op.chunk == KEY_BLOCK and machine_for(op, s.machine).softex is not None

    def attention(keys: int) -> AttentionKernel | ChunkedAttentionKernel:
        if keys <= whole:
            return _rows_kernel(s, op, matrices, keys)
        return replace(_chunks_kernel(s, op, matrices, keys), counted=counted)

    numbers = range(KEY_BLOCK, op.keys + 1, KEY_BLOCK)
    if counted:
        numbers = [keys for keys in numbers if keys <= whole or keys == op.keys]
    kernel = alternatives(machine_for(op, s.machine), attention, numbers, op.queries, KEY_BLOCK)
    largest = kernel.kernels[-1]
    assert isinstance(largest, _ATTENTION)
    zeros = max(each.zeros for each in kernel.kernels if isinstance(each, _ATTENTION))
    scratch = max(each.scratch for each in kernel.kernels if isinstance(each, _ATTENTION))
    shared: dict[str, View | Address] = {"zeros": s.memory.zeros(zeros)}
    if scratch:
        shared["s_l2"] = (s.memory.scratch(scratch), 0)
    for index in range(op.batch.value.data):
        parts = _parts(op, matrices, index)
        s.tasks.add(
            op,
            kernel,
            {**parts, **shared, "position": position.row_range(index, 1)},
            feeds=[part for name, part in parts.items() if name != "out"],
            writes=[parts["out"]],
            on_engine=True,
            macs=largest.macs,
        )


def _columns_of(s: Scheduling, op: tf.AttentionOp) -> View:
    """Kᵀ of a cache: what is appended to it lies so already."""
    keys = s.view(op.k)
    found = keys.permuted((1, 0)).matrix()
    if found is not None:
        return found
    source = matrix_of(s, op, keys)
    rows, columns = keys.shape
    size = columns // op.heads_of_keys
    target = s.memory.allocate((columns, rows), "bf16", "keys")
    kernel = TransposeKernel(
        *(s.machine, rows, KEY_BLOCK, op.heads_of_keys, size, source.strides[0]),
        out_pitch=target.strides[0],
        offset=s.plan.base,
    )
    addresses: dict[str, View | Address] = {"source": source, "target": target}
    addresses["zeros"] = s.memory.zeros(size)
    s.tasks.add(op, kernel, addresses, reads=[source], writes=[target])
    return target


def _transposed(
    s: Scheduling, op: tf.AttentionOp, kernel: ChunkedAttentionKernel, keys: View
) -> View:
    """Kᵀ of a batch element, chunk by chunk."""
    turn = transposition(kernel, keys.strides[0], s.plan.base)
    target = s.memory.allocate((turn.steps * turn.size, turn.chunk), "bf16", "keys")
    addresses: dict[str, View | Address] = {"source": keys, "target": target}
    addresses["zeros"] = s.memory.zeros(turn.size)
    s.tasks.add(op, turn, addresses, reads=[keys], writes=[target])
    return target


def _scratch(s: Scheduling, kernel: ChunkedAttentionKernel) -> dict[str, Address]:
    """L2 for spilled scores, shared by all launches: RedMulE separates their uses."""
    if not kernel.spilled:
        return {}
    return {"s_l2": (s.memory.scratch(kernel.scratch), 0)}


def _parts(op: tf.AttentionOp, matrices: dict[str, View], index: int) -> dict[str, View]:
    """The operands of a batch element."""
    queries, keys, kind = op.queries, op.keys, op.bias_rows.data
    first = {"all": 0, "query": 0, "batch": index, "batch_query": index * queries}[kind]
    rows = queries if kind in ("query", "batch_query") else 1
    if "kt_l2" in matrices:
        name, taken = "kt_l2", matrices["kt_l2"].columns(index * keys, keys)
    else:
        name, taken = "k_l2", matrices["k_l2"].row_range(index * keys, keys)
    return {
        "q_l2": matrices["q_l2"].row_range(index * queries, queries),
        name: taken,
        "v_l2": matrices["v_l2"].row_range(index * keys, keys),
        "bias": matrices["bias"].row_range(first, rows),
        "out": matrices["out"].row_range(index * queries, queries),
    }


def _attend(
    s: Scheduling,
    op: tf.AttentionOp,
    kernel: AttentionKernel | ChunkedAttentionKernel,
    index: int,
    parts: dict[str, View],
    scratch: dict[str, Address] | None = None,
) -> None:
    addresses: dict[str, View | Address] = {**parts, **(scratch or {})}
    addresses["zeros"] = s.memory.zeros(kernel.zeros)
    s.tasks.add(
        op,
        kernel,
        addresses,
        feeds=[part for name, part in parts.items() if name != "out"],
        writes=[parts["out"]],
        on_engine=True,
        macs=kernel.macs,
    )


def _overflow(
    s: Scheduling, op: tf.AttentionOp, kernel: AttentionKernel | ChunkedAttentionKernel
) -> CapacityError:
    """What the smallest form of a kernel needs, and what would fit instead."""
    machine = machine_for(op, s.machine)
    without = machine.softex is None
    if isinstance(kernel, AttentionKernel) and not kernel.is_computed:
        # whole rows are no whole steps of the array
        length = chunk_lengths(machine, op.keys)[0]
        kernel = replace(chunked_kernel(s.machine, op, s.plan.base), chunk=length)
    if isinstance(kernel, AttentionKernel):
        small = replace(kernel, rows=1, score_slots=2, transposed_slots=1, value_slots=1)
        form = "by whole rows of scores"
    else:
        small = replace(kernel, rows=1, spilled=not without)
        form = f"by chunks of {kernel.chunk} keys"
    chunk, *_ = chunks_of(s.machine, op, s.plan.base)
    if chunk is not None and chunk != op.chunk:
        advice = f"chunks of {chunk} keys fit (the pass chunk-keys)"
    elif without:
        advice = "without SoftEx the cores need whole rows of scores in TCDM: enlarge it"
    else:
        advice = "enlarge it"
    return CapacityError(
        f"attention (layer '{layer_of(op)}') of {op.keys} keys of {op.head_size} {form} needs "
        f"{small.end} bytes of TCDM at least, of {s.machine.cluster.tcdm_bytes}: "
        + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in small.buffers())
        + f"; {advice}"
    ).about(layer_of(op), op.name, advice)
