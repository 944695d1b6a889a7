"""When jobs and transfers access memory, at their trigger or at their end, no program can tell; and
whatever is shown late to the cores, the race detector finds nothing."""

from __future__ import annotations

import numpy as np
from sampling import matrix
from small_models import CASES, compiled

from softex_mlir.runtime import session


@matrix("name, kib, without", CASES, 3)
def test_same_bits_and_cycles_without_races(name: str, kib: int, without: str):
    program = compiled(name, kib, without)
    early = session.run(program, sanitize=True)
    late = session.run(program, effects="late")
    assert early.run.races == ()
    assert early.cycles == late.cycles
    for output, bits in early.outputs.items():
        np.testing.assert_array_equal(bits.view(np.uint8), late.outputs[output].view(np.uint8))
