"""That the TCDM is too small: what needs how much, and what would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from softex_mlir.errors import UserError

LARGER = "use a machine with a larger TCDM (cluster.tcdm_bytes)"

_LAYER = re.compile(r"(\(layer '[^']*')\)")


class CapacityError(UserError, ValueError):
    """The TCDM is too small; the text lists what needs how much, and the nearest size that works.

    That is looked for when somebody reads the text.
    """

    nearest: Callable[[], int | None] | None = None
    otherwise: str = ""
    """What works where no size does."""

    @staticmethod
    def of(causes: Sequence[CapacityError], otherwise: str) -> CapacityError:
        """One report of several causes; those that differ in their layer alone are said once."""
        alike: dict[str, list[str]] = {}
        for cause in causes:
            text = Exception.__str__(cause)
            alike.setdefault(_LAYER.sub("", text), []).append(text)
        texts = [_and_more(same[0], len(same) - 1) for same in alike.values()]
        head = [] if len(texts) == 1 else [f"{len(texts)} things do not fit the TCDM:"]
        error = CapacityError("\n  ".join([*head, *texts]))
        error.refusals = tuple(refusal for cause in causes for refusal in cause.refusals)
        error.otherwise = otherwise
        return error

    def __str__(self) -> str:
        size = None if self.nearest is None else self.nearest()
        found = self.otherwise if size is None else f"cluster.tcdm_bytes = {size}"
        text = super().__str__()
        separator = "\n  " if "\n" in text else "; "
        return f"{text}{separator}the nearest that works: {found}" if found else text

    def __reduce__(self) -> tuple[type[CapacityError], tuple[str]]:
        return CapacityError, (str(self),)


def _and_more(text: str, others: int) -> str:
    return _LAYER.sub(rf"\1 and {others} more)", text, count=1) if others else text
