"""Packing a weight and unpacking it gives the weight, for all shapes and tiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.compiler.weight_layout import WeightLayout, pack_weight, unpack_weight

SIZES = st.integers(1, 150)


@sample(60)
@given(SIZES, SIZES, st.sampled_from([32, 64, 96]), st.sampled_from([32, 64, 160]))
def test_tiles_round_trip(rows: int, columns: int, inner: int, width: int) -> None:
    weight = np.arange(1, rows * columns + 1, dtype=np.int32).reshape(rows, columns)
    layout = WeightLayout.tiled((rows, columns), inner, width)
    packed = pack_weight(weight, layout)
    assert packed.size == layout.elements((rows, columns))
    assert (unpack_weight(packed, layout, (rows, columns)) == weight).all()
    assert packed.astype(np.int64).sum() == weight.astype(np.int64).sum()  # the padding is zero
    assert WeightLayout.from_json(layout.to_json()) == layout


@sample(40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_rows_round_trip(shape: list[int]) -> None:
    weight = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    layout = WeightLayout.rows(tuple(shape))
    packed = pack_weight(weight, layout)
    assert packed.size == layout.elements(tuple(shape))
    assert (unpack_weight(packed, layout, tuple(shape)) == weight).all()


def test_a_tile_is_one_run() -> None:
    weight = np.arange(64 * 96, dtype=np.int32).reshape(64, 96)
    layout = WeightLayout.tiled((64, 96), 32, 64)
    packed = pack_weight(weight, layout)
    assert (packed[: 32 * 64].reshape(32, 64) == weight[:32, :64]).all()
    second = layout.tile_offset(1)
    assert (packed[second : second + 32 * 32].reshape(32, 32) == weight[:32, 64:]).all()
