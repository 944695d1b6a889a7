"""What late accesses cost a unit; for the window model and for estimates."""

from typing import Final

_TURNOVER_CYCLES: Final = 98.0
"""RedMulE: cycles into a tile by which its Y and the last one's Z have to be through. Fitted on the
published growth of 96x96x96 at 10 % denials (4,774 to 4,876 cycles)."""


def growth(late: float, exposed: float, turnovers: float, burst: float) -> float:
    """Relative growth of a job's cycles.

    A unit waits for some accesses one by one: SoftEx's softmax for each, RedMulE, whose FIFOs hide
    most late ones, for those that fill the array and for the last stores. Where a tile of RedMulE
    has one before and one behind, it waits for a burst of accesses for X, W, Y and Z, which the
    port is just able to do in time.

    Args:
        late: cycles an access comes late on average.
        exposed: accesses waited for one by one, a cycle of the job without denials.
        turnovers: bursts, a cycle likewise.
        burst: accesses of one.
    """
    return exposed * late + turnovers * max(0.0, burst * (1.0 + late) - _TURNOVER_CYCLES)
