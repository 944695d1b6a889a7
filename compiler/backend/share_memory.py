"""Memory of temporaries in L2: those that are not alive at the same launch share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from softex_mlir.dialects.cluster_attributes import AddressAttr
from softex_mlir.dialects.cluster_schedule import LaunchOp


def share_memory(sizes: Mapping[str, int], launches: Sequence[LaunchOp]) -> tuple[list[int], int]:
    """Offsets of objects of these sizes (by name, in their order), and bytes of all together.

    An object is alive from the first launch that names it to the last. All writes to L2 are
    `dma_out`'s, in the order of the launches, and a launch has read its operands before its last
    result is stored: nothing is overwritten that an earlier launch still reads. Objects of equal
    size take each other's place, as those of equal layers do.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, launch in enumerate(launches):
        for word in launch.words():
            if isinstance(word, AddressAttr) and word.global_name in sizes:
                first.setdefault(word.global_name, number)
                last[word.global_name] = number
    ending: dict[int, list[str]] = defaultdict(list)
    for name, number in last.items():
        ending[number].append(name)
    offsets: dict[str, int] = {}
    free: dict[int, list[int]] = defaultdict(list)
    total = released = 0
    for name in sorted(sizes, key=lambda name: first.get(name, 0)):
        while released < first.get(name, 0):
            for done in ending[released]:
                free[sizes[done]].append(offsets[done])
            released += 1
        places = free[sizes[name]]
        if places:
            offsets[name] = places.pop()
        else:
            offsets[name] = total
            total += sizes[name]
    return [offsets[name] for name in sizes], total
