"""Operators × attributes × ranks × opsets: right by ONNX's reference implementation, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_cases import GENERATORS, build
from oracle import refusal
from sampling import LONG, sample

from softex_mlir.compiler.importers.onnx.importer import supported_operators

IN_PATTERNS = {"IsNaN", "Where"}
"""Operators that by themselves may be refused throughout: they are parts of patterns."""


@pytest.mark.matrix
@pytest.mark.parametrize("kind", GENERATORS)
def test_operator(kind: str) -> None:
    refused: list[str] = []

    known = kind in supported_operators()

    @sample(8 if known else 2, share=10 * len(GENERATORS))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        model, inputs = build(kind, data)
        refused.append(refusal(model, inputs, simulate=LONG))

    check()
    # A long run draws few cases of each.
    if known and not LONG and kind not in IN_PATTERNS:
        assert "" in refused, f"always refused: {refused[-1]}"
