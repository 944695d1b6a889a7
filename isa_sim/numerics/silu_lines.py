"""The sigmoid that the cores' SiLU multiplies by: a straight line for every eighth of x.

Line i is ``A[i] + B[i]·x`` for x around ``(i - ZERO) / PER_UNIT``, through the sigmoid at the two
Chebyshev nodes of its segment; both numbers are rounded to f32. The relative error is at most
1.03e-3, and 3.5e-4 for x between -1 and 1; rounding SiLU to BF16 costs up to 3.9e-3. Below the
second line the sigmoid is 0 (it is 4e-11 there), the last line serves all x above.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

PER_UNIT: Final = 8.0
"""Lines to one unit of x."""

LINES: Final = 256
"""So that they reach from -24 to 8."""

ZERO: Final = 192
"""The line around x = 0."""

LAST_SLOPE: Final = 2.0**-147
"""Of the last line: nothing to a finite x, and infinite for an infinite one, as SiLU is."""


@cache
def silu_lines() -> npt.NDArray[np.float32]:
    """``float32[LINES, 2]``: A and B of every line; by decimals, so all hosts have the same."""
    found = np.zeros((LINES, 2), np.float32)
    with localcontext(Context(prec=30)):
        unit = Decimal(int(PER_UNIT))
        reach = Decimal(2).sqrt() / (4 * unit)
        for line in range(1, LINES):
            middle = (line - ZERO) / unit
            low, high = _sigmoid(middle - reach), _sigmoid(middle + reach)
            slope = (high - low) / (2 * reach)
            found[line] = float((low + high) / 2 - slope * middle), float(slope)
        found[-1] = float(_sigmoid((LINES - 1 - ZERO) / unit)), LAST_SLOPE
    found.setflags(write=False)
    return found


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())
