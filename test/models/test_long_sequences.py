"""Attention by chunks of keys: every mask, size, memory and target, bit for bit, without a race."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import single_operation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.models.text import bert
from softex_mlir.compiler.schedule.kernels.attention.chunked import ChunkedAttentionKernel
from softex_mlir.compiler.schedule.operations import attention as attentions
from softex_mlir.compiler.schedule.search import chunks as chunk_search
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.softex import MAX_SLOT
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

PAPER = Machine.load("paper")


def attention(
    queries: int, keys: int, heads: int, size: int, masks: str = "", batch: int = 1
) -> Model:
    """Attention of inputs q, k and v; `masks` is "", "keys" (an input mask) or "causal"."""
    ports = [
        Port(name, (batch * tokens, heads * size), "float32")
        for name, tokens in (("q", queries), ("k", keys), ("v", keys))
    ]
    if masks == "keys":
        ports.append(Port("mask", (batch, keys), "int64"))
    b = ModelBuilder("attention", ports)
    b.layer = "attention"
    if masks == "keys":
        bias: SSAValue = b.add(t.MaskToBiasOp(b.arguments[3], t.padded_keys(keys)))
        kind = "batch"
    else:
        bias, kind = b.attention_bias(keys, causal=masks == "causal")
    q, k, v = b.arguments[:3]
    op = t.AttentionOp(q, k, v, bias, heads=heads, batch=batch, bias_rows=kind)
    return b.finish({"y": b.add(op)})


def compiled(
    model: Model, machine: Machine, chunk: int | None = None
) -> tuple[Compilation, list[int | None]]:
    """The compilation, and the chunks of its attentions; `chunk` overrides the choice."""
    compilation = Compilation.of(model, machine)
    ops = [op for op in compilation.model.module.walk() if isinstance(op, t.AttentionOp)]
    for op in ops:
        if chunk is not None:
            op.key_chunk = IntegerAttr(chunk, i64)
    return compilation, [op.chunk for op in ops]


def assert_same_bits(compilation: Compilation) -> None:
    program = compilation.program()
    random = np.random.default_rng(0)
    inputs: dict[str, np.ndarray] = {}
    for port in program.inputs:
        inputs[port.name] = random.standard_normal(port.shape).astype(np.float32)
        if port.name == "mask":
            # the first half is masked (a whole first chunk), and every key of the last element
            mask = np.ones(port.shape, np.int64)
            mask[0, : port.shape[1] // 2 + 20] = 0
            mask[1:] = 0
            inputs["mask"] = mask
    result = session.run(program, inputs, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def only(choose: Callable[[ChunkedAttentionKernel], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Restrict the search to some kernels."""

    def best(kernel: ChunkedAttentionKernel, lengths: tuple[int, ...], end: int):
        found = chunk_search.candidates(kernel, lengths)
        return next((f for f in found if f.end <= end and choose(f)), None)

    monkeypatch.setattr(attentions, "best_chunks", best)


@pytest.mark.parametrize("spilled", [False, True])
@pytest.mark.parametrize(
    ("queries", "keys", "heads", "size", "masks", "batch", "chunk"),
    [
        (64, 64, 2, 32, "", 1, 64),  # one chunk, one block
        (50, 97, 2, 64, "", 1, 32),  # a last chunk with one key
        (113, 113, 1, 96, "keys", 2, 64),  # 17 keys in the last of an even number of chunks
        (130, 130, 2, 48, "causal", 1, 96),  # head sizes that need padding, a bias per query
        (65, 65, 1, 128, "causal", 2, 64),
        (24, 200, 1, 32, "keys", 2, 160),
    ],
)
def test_masks_heads_and_odd_lengths(
    queries: int,
    keys: int,
    heads: int,
    size: int,
    masks: str,
    batch: int,
    chunk: int,
    spilled: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    only(lambda kernel: kernel.spilled == spilled and kernel.rows >= 23, monkeypatch)
    model = attention(queries, keys, heads, size, masks, batch)
    assert_same_bits(compiled(model, PAPER, chunk)[0])


@pytest.mark.parametrize(
    ("target", "spilled", "masks", "keys", "size", "chunk", "part"),
    [
        ("paper", False, "keys", 113, 33, 64, 32),  # an odd head size, a last chunk of 49 keys
        ("paper", True, "causal", 67, 32, 64, 32),
        ("paper", True, "", 97, 32, 96, 32),  # the last part has one key
        ("paper", False, "", 60, 32, 64, 64),  # one chunk, one part
        ("cores", False, "causal", 67, 32, 64, 32),
        ("without_redmule", True, "keys", 45, 32, 64, 32),
        ("without_softex", False, "keys", 97, 32, 96, 32),
    ],
)
def test_partial_sums_of_values(
    target: str,
    spilled: bool,
    masks: str,
    keys: int,
    size: int,
    chunk: int,
    part: int,
    monkeypatch: pytest.MonkeyPatch,
):
    only(lambda kernel: kernel.spilled == spilled and kernel.rows >= 12, monkeypatch)
    machine = PAPER if target in ("paper", "without_softex") else PAPER.without_redmule()
    machine = machine if target in ("paper", "without_redmule") else machine.without_softex()
    compilation, _ = compiled(attention(keys, keys, 2, size, masks), machine, chunk)
    for op in compilation.model.module.walk():
        if isinstance(op, t.AttentionOp):
            op.value_chunk = IntegerAttr(part, i64)
    assert_same_bits(compilation)


@pytest.mark.parametrize("keys", [257, 577, 1200, 4096])
def test_many_keys_that_weigh_alike(keys: int):
    """A chain of so many roundings stands still: at 0.33 for 1,200 equal values of 1."""
    model = attention(1, keys, 1, 64)
    Compilation.of(model, PAPER)
    values = np.random.default_rng(0).uniform(0, 1, (keys, 64)).astype(np.float32)
    values[:, 0] = 1
    inputs = {"q": np.zeros((1, 64)), "k": np.ones((keys, 64)), "v": values}
    result = evaluate(model.module, model.weights, inputs)["y"].astype(np.float64)
    expected = values.astype(ml_dtypes.bfloat16).mean(0, dtype=np.float64)
    assert np.abs(result / expected - 1)[0, 1:].max() < 0.02
    assert np.abs(result / expected - 1)[0, 0] < 0.05


@pytest.mark.parametrize("rows", [1, 12, 23])
def test_blocks_of_queries_that_do_not_divide_them(rows: int, monkeypatch: pytest.MonkeyPatch):
    only(lambda kernel: kernel.rows == rows, monkeypatch)
    assert_same_bits(compiled(attention(67, 67, 1, 32), PAPER, 32)[0])


@pytest.mark.parametrize("target", ["without_softex", "without_redmule", "cores"])
@pytest.mark.parametrize("masks", ["keys", "causal"])
def test_other_targets(target: str, masks: str):
    machine = PAPER if target == "without_softex" else PAPER.without_redmule()
    machine = machine if target == "without_redmule" else machine.without_softex()
    assert_same_bits(compiled(attention(45, 45, 2, 32, masks, 2), machine, 32)[0])


@pytest.mark.parametrize("kib", [96, 48, 40])
def test_the_less_memory_the_smaller_the_chunks(kib: int):
    compilation, chunks = compiled(attention(280, 280, 1, 64), PAPER.with_tcdm_bytes(kib * 1024))
    assert chunks[0] is not None
    assert_same_bits(compilation)


def test_short_sequences_stay_whole():
    assert compiled(attention(197, 197, 1, 64), PAPER)[1] == [None]


def test_a_thousand_tokens_in_the_machine_s_memory():
    model = bert(tokens=1100, hidden=32, heads=1, layers=1, vocabulary=64, types=0)
    compilation, chunks = compiled(model, PAPER)
    assert chunks[0] is not None
    program = compilation.program()
    assert check(program, session.run(program), {}).identical


def test_a_chunk_that_does_not_fit_is_reported_with_one_that_does():
    compilation, _ = compiled(attention(512, 512, 1, 64), PAPER.with_tcdm_bytes(40 * 1024), 512)
    with pytest.raises(UserError, match=r"by chunks of 512 keys needs \d+ .*; chunks of \d+ keys"):
        compilation.emit("jobs")


def test_without_softex_a_block_of_whole_rows_must_fit():
    machine = PAPER.without_softex().with_tcdm_bytes(48 * 1024)
    with pytest.raises(UserError, match="without SoftEx the cores need whole rows"):
        compiled(attention(4096, 4096, 1, 64), machine)[0].emit("jobs")


@pytest.mark.parametrize("target", ["paper", "without_softex"])
def test_softmax_of_a_row_that_fills_the_memory(target: str):
    machine = PAPER if target == "paper" else PAPER.without_softex()
    program = Compilation.of(single_operation("softmax", 2, 60_000), machine).program()
    assert check(program, session.run(program), {}).identical


@pytest.mark.parametrize("masks", ["", "causal"])
def test_kernels_keep_to_the_memory_and_to_the_state_slots(masks: str):
    op = next(
        op
        for op in attention(300, 300, 2, 48, masks).module.walk()
        if isinstance(op, t.AttentionOp)
    )
    for kernel in chunk_search.candidates(chunk_search.chunked_kernel(PAPER, op, 4224), (32, 96)):
        places = [b.slot_range(slot) for b in kernel.buffers() for slot in range(b.slots)]
        assert places[0][0] == 4224
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
        assert places[-1][1] <= kernel.end
        assert 2 * kernel.rows <= MAX_SLOT
        assert kernel.blocks * kernel.rows >= kernel.queries
        assert sum(kernel.advances()[:3]) == 6 * kernel.rounds + 1
