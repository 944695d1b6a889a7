"""Views of L2 tensors agree with numpy's strided views."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.compiler.schedule.views import View, region_for, row_major
from softex_mlir.dialects.cluster import GlobalKind


def elements(view: View) -> np.ndarray:
    """Positions of a view's elements in its region, in row-major order."""
    positions = np.full(view.shape, view.offset)
    for axis, stride in enumerate(view.strides):
        shape = [1] * len(view.shape)
        shape[axis] = view.shape[axis]
        positions = positions + (np.arange(view.shape[axis]) * stride).reshape(shape)
    return positions


def tensor(*shape: int) -> View:
    return row_major(region_for("t", GlobalKind.ACTIVATION, shape, "bf16"), shape)


@sample(100)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_reshape_keeps_the_elements_or_declines(shape: list[int], random) -> None:
    view = tensor(*shape)
    order = list(range(len(shape)))
    random.shuffle(order)
    view = view.permuted(order)
    target = list(view.shape)
    random.shuffle(target)
    if len(target) > 1 and random.random() < 0.5:
        target = [target[0] * target[1], *target[2:]]
    found = view.reshaped(target)
    assume(found is not None)
    assert found is not None
    assert (elements(found).ravel() == elements(view).ravel()).all()


@sample(100)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_slices_of_any_direction(shape: list[int], random) -> None:
    view = tensor(*shape)
    chosen = [
        slice(None, None, random.choice((1, 2, 3, -1, -2)))
        if random.random() < 0.7
        else slice(None)
        for _ in shape
    ]
    ranges = [range(n)[c] for n, c in zip(shape, chosen, strict=True)]
    found = view.sliced([r[0] for r in ranges], [len(r) for r in ranges], [r.step for r in ranges])
    expected = elements(view)[tuple(chosen)]
    assert (elements(found) == expected).all()
    assert found.extent == (expected.min(), expected.max() + 1)
    matrix = found.matrix()
    assert matrix is None or (elements(matrix).ravel() == expected.ravel()).all()


@sample(100)
@given(st.randoms(use_true_random=False), st.booleans())
def test_parts_of_a_matrix_meet_where_they_share_elements(random, reversed_rows: bool) -> None:
    view = tensor(6, 40)
    parts: list[View] = []
    for _ in range(2):
        (first, last), (start, end) = (sorted(random.sample(range(n + 1), 2)) for n in (6, 40))
        parts.append(view.row_range(first, last - first).columns(start, end - start))
    if reversed_rows:
        parts = [part.sliced([part.shape[0] - 1, 0], part.shape, [-1, 1]) for part in parts]
    one, other = parts
    shared = bool(np.intersect1d(elements(one), elements(other)).size)
    assert one.meets(other) == other.meets(one)
    assert one.meets(other) or not shared
    if not reversed_rows:
        assert one.meets(other) == shared
    assert not one.meets(tensor(6, 40))


def test_column_slices_and_rows_are_views() -> None:
    view = tensor(10, 96).sliced([2, 32], [4, 64], [1, 1])
    assert view.address == (view.region, 2 * (2 * 96 + 32))
    assert view.region.symbol == "t"
    assert view.matrix() == view
    assert view.extent == (2 * 96 + 32, 5 * 96 + 96)


def test_a_padded_matrix_does_not_flatten() -> None:
    assert tensor(4, 33).reshaped((132,)) is None
    assert tensor(4, 64).reshaped((256,)) is not None
    assert tensor(2, 3, 33).matrix() is not None
