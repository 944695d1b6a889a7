"""The race detector's compiled part (see `isa_sim.sanitizer`)."""

from typing import Any, Final

from softex_mlir.isa_sim.jit import njit

RACE_FOUND: Final = 0


@njit(cache=True)
def before_completion(dev: Any, shadow: Any, time: int) -> None:
    """Unit jobs and transfers due at `time` are about to be retired."""


@njit(cache=True)
def flush(dev: Any, state: Any, shadow: Any, log: Any, core: int) -> None:
    """Check the accesses a core has logged."""


@njit(cache=True)
def after_access(
    dev: Any, shadow: Any, core: int, time: int, address: int, kind: int, status: int
) -> None:
    """Apply the synchronisation edges of an access."""
