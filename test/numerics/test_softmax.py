"""Softmax as a function: lengths, lanes, special rows, chunks."""

import numpy as np
import pytest

from softex_mlir.isa_sim.numerics import bf16
from softex_mlir.isa_sim.numerics.softmax import accumulate, normalise, softmax

INF = float("inf")


def exact(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x.astype(np.float64) - x.astype(np.float64).max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("lanes", [4, 8, 16, 32])
@pytest.mark.parametrize("length", [1, 3, 4, 8, 15, 16, 17, 32, 33, 64, 197, 1000])
def test_close_to_exact_for_every_length(lanes: int, length: int):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((5, length)).astype(bf16.BF16)
    found = softmax(x, lanes).astype(np.float64)
    error = np.abs(found / exact(x) - 1)
    assert error.mean() < 0.008
    assert error.max() < 0.05


@pytest.mark.parametrize("lanes", [4, 8, 16, 32])
def test_padding_with_minus_infinity_changes_nothing(lanes: int):
    rng = np.random.default_rng(3)
    x = (3 * rng.standard_normal((20, 45))).astype(bf16.BF16)
    padded = np.full((20, 64), -INF, bf16.BF16)
    padded[:, :45] = x
    np.testing.assert_array_equal(softmax(padded, lanes)[:, :45], softmax(x, lanes))


def test_shapes():
    x = np.zeros((2, 3, 5, 7), bf16.BF16)
    assert softmax(x).shape == x.shape
    with pytest.raises(ValueError, match="at least one element"):
        softmax(np.zeros((2, 0), bf16.BF16))
    with pytest.raises(ValueError, match="lanes must be one of"):
        softmax(x, 5)


def test_special_rows():
    masked = np.full(20, -INF, bf16.BF16)
    assert (bf16.to_bits(softmax(masked)) == 0xFF80).all()
    # A first beat of only -inf before larger elements: NaN in all.
    late = masked.copy()
    late[17] = 1
    assert (bf16.to_bits(softmax(late)) == 0x7FC0).all()
    zeros = np.zeros(4, bf16.BF16)
    zeros[1] = -0.0
    np.testing.assert_array_equal(softmax(zeros), np.full(4, 0.25, bf16.BF16))


@pytest.mark.parametrize("lanes", [4, 16, 32])
@pytest.mark.parametrize(("length", "chunk"), [(300, 64), (64, 64), (65, 32), (200, 96)])
def test_rows_by_chunks_are_jobs_with_a_state(lanes: int, length: int, chunk: int):
    rng = np.random.default_rng(length)
    x = (4 * rng.standard_normal((6, length))).astype(bf16.BF16)
    x[1] = -3.39e38
    x[2, : length // 2] = -3.39e38
    x[3, 20:] = -INF
    found = softmax(x, lanes, chunk=chunk)
    for row, y in zip(x, found, strict=True):
        padded = np.concatenate([row, np.full(-length % chunk, -INF, bf16.BF16)])
        parts = padded.reshape(-1, chunk)
        state = None
        for number, part in enumerate(parts):
            state = accumulate(part, state, last=number + 1 == len(parts), lanes=lanes)
        assert state is not None
        expected = np.concatenate([normalise(part, state, lanes=lanes) for part in parts])
        np.testing.assert_array_equal(bf16.to_bits(y), bf16.to_bits(expected[:length]))


def test_chunks_are_whole_beats():
    with pytest.raises(ValueError, match="multiple of 16 lanes, found 24"):
        softmax(np.zeros(48, bf16.BF16), chunk=24)


def test_chunks_agree_with_the_whole_row():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(300).astype(bf16.BF16)
    state = accumulate(x[:100])
    state = accumulate(x[100:260], state)
    state = accumulate(x[260:], state, last=True)
    found = np.concatenate([normalise(x[:50], state), normalise(x[50:], state)])
    np.testing.assert_allclose(found.astype(np.float64), softmax(x).astype(np.float64), rtol=2**-7)
    with pytest.raises(ValueError, match="inverted already"):
        accumulate(x, state)
    with pytest.raises(ValueError, match="not inverted"):
        normalise(x, accumulate(x))
