"""When jobs and transfers access memory, at their trigger or at their end, no program can tell."""

from __future__ import annotations

import numpy as np
from sampling import matrix
from small_models import CASES, compiled

from softex_mlir.runtime import session


@matrix("name, kib, without", CASES, 4)
def test_same_bits_and_cycles(name: str, kib: int, without: str):
    program = compiled(name, kib, without)
    early, late = (session.run(program, effects=when) for when in ("early", "late"))
    assert early.cycles == late.cycles
    for output, bits in early.outputs.items():
        np.testing.assert_array_equal(bits.view(np.uint8), late.outputs[output].view(np.uint8))
