"""The race detector's compiled part: shadow memory (see `isa_sim.sanitizer` for the model).

One entry for each `GRANULE` bytes of TCDM and of L2: the last write and, since then, the last read
of every agent.
"""

from typing import Any

import numpy as np

from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.race import state as s


@njit(cache=True)
def report(
    shadow: Any, kind: int, address: int, agent: int, site: int, other: int, other_site: int
) -> None:
    """Note a finding, if there is room."""
    used = shadow.word[s.REPORTS]
    if used < shadow.report.shape[0]:
        row = shadow.report[used]
        row[0] = kind
        row[1] = address
        row[2] = agent
        row[3] = site
        row[4] = other
        row[5] = other_site
        shadow.word[s.REPORTS] = used + 1
    if 2 * shadow.word[s.REPORTS] >= shadow.report.shape[0]:
        shadow.word[s.RACE_FOUND] = 1


@njit(cache=True)
def _check_tcdm(
    shadow: Any, agent: int, site: int, first: int, last: int, write: bool, known: int
) -> None:
    """Granules first..last-1 of TCDM are read or written; those before `known` must be written."""
    clock = shadow.clock[agent]
    base = shadow.word[s.TCDM_BASE]
    now = clock[agent]
    reported = False
    for granule in range(first, last):
        writer = shadow.writer[granule]
        if writer >= s.FIRST_AGENT:
            other = writer - s.FIRST_AGENT
            late = other != agent and shadow.writer_clock[granule] > clock[other]
            if late and not reported:
                reported = True
                kind = s.WRITE_AFTER_WRITE if write else s.READ_AFTER_WRITE
                at = base + granule * s.GRANULE
                report(shadow, kind, at, agent, site, other, shadow.writer_site[granule])
        elif writer == s.NEVER_WRITTEN and not write and granule < known and not reported:
            reported = True
            report(shadow, s.UNINITIALISED, base + granule * s.GRANULE, agent, site, -1, 0)
        if not write:
            shadow.reader[granule] |= np.uint64(1) << np.uint64(agent)
            shadow.reader_clock[granule, agent] = now
            shadow.reader_site[granule, agent] = site
            continue
        readers = shadow.reader[granule]
        if readers != 0:
            if not reported:
                for other in range(shadow.word[s.AGENTS]):
                    if (
                        other != agent
                        and (readers >> np.uint64(other)) & np.uint64(1) != 0
                        and shadow.reader_clock[granule, other] > clock[other]
                        and not reported
                    ):
                        reported = True
                        report(
                            shadow,
                            s.WRITE_AFTER_READ,
                            base + granule * s.GRANULE,
                            agent,
                            site,
                            other,
                            shadow.reader_site[granule, other],
                        )
            shadow.reader[granule] = 0
        shadow.writer[granule] = s.FIRST_AGENT + agent
        shadow.writer_clock[granule] = now
        shadow.writer_site[granule] = site


@njit(cache=True)
def _read_l2(shadow: Any, agent: int, site: int, granule: int, clock: Any) -> None:
    """Remember a read of a granule of L2."""
    cores = shadow.word[s.CORES]
    if agent >= cores:
        shadow.l2_dma_read[agent - cores, granule] = clock[agent]
        return
    if not shadow.l2_read[granule]:
        shadow.l2_read[granule] = 1
        shadow.l2_reader_clock[granule, :] = 0
    shadow.l2_reader_clock[granule, agent] = clock[agent]
    shadow.l2_reader_site[granule, agent] = site


@njit(cache=True)
def _overwrite_l2(
    shadow: Any, agent: int, site: int, granule: int, clock: Any, reported: bool
) -> bool:
    """A granule of L2 is written: report a read that nothing orders before, forget the reads."""
    cores = shadow.word[s.CORES]
    at = shadow.word[s.L2_BASE] + granule * s.GRANULE
    for slot in range(shadow.word[s.SLOTS_USED]):
        if shadow.slot_device[slot] != s.CHANNEL_0:
            continue
        read = shadow.l2_dma_read[slot, granule]
        if read == 0:
            continue
        shadow.l2_dma_read[slot, granule] = 0
        if read > clock[cores + slot] and agent != cores + slot and not reported:
            reported = True
            report(shadow, s.WRITE_AFTER_L2_READ, at, agent, site, cores + slot, read)
    if not shadow.l2_read[granule]:
        return reported
    shadow.l2_read[granule] = 0
    for other in range(cores):
        late = shadow.l2_reader_clock[granule, other] > clock[other]
        if late and other != agent and not reported:
            reported = True
            earlier = shadow.l2_reader_site[granule, other]
            report(shadow, s.WRITE_AFTER_READ, at, agent, site, other, earlier)
    return reported


@njit(cache=True)
def _check_l2(shadow: Any, agent: int, site: int, first: int, last: int, write: bool) -> None:
    """Granules first..last-1 of L2 are read or written."""
    clock = shadow.clock[agent]
    base = shadow.word[s.L2_BASE]
    reported = False
    for granule in range(first, min(last, shadow.word[s.L2_GRANULES])):
        writer = shadow.l2_writer[granule]
        if writer >= s.FIRST_AGENT:
            other = writer - s.FIRST_AGENT
            if other != agent and shadow.l2_clock[granule] > clock[other] and not reported:
                reported = True
                kind = s.WRITE_AFTER_WRITE if write else s.READ_AFTER_WRITE
                at = base + granule * s.GRANULE
                report(shadow, kind, at, agent, site, other, shadow.l2_site[granule])
        elif writer == s.NEVER_WRITTEN and not write and not reported:
            reported = True
            report(shadow, s.UNINITIALISED, base + granule * s.GRANULE, agent, site, -1, 0)
        if not write:
            _read_l2(shadow, agent, site, granule, clock)
            continue
        reported = _overwrite_l2(shadow, agent, site, granule, clock, reported)
        shadow.l2_writer[granule] = s.FIRST_AGENT + agent
        shadow.l2_clock[granule] = clock[agent]
        shadow.l2_site[granule] = site


@njit(cache=True)
def _check_target(shadow: Any, agent: int, site: int, address: int, size: int) -> None:
    """A transfer or job writes: not what orders cores, and not what they execute."""
    counters = shadow.word[s.TCDM_BASE]
    if address < counters + 4 * s.WORDS_SHARED and address + size > counters:
        report(shadow, s.COUNTER_OVERWRITTEN, max(address, counters), agent, site, -1, 0)
    code = shadow.word[s.CODE]
    if address < code + shadow.word[s.CODE_BYTES] and address + size > code:
        report(shadow, s.CODE_OVERWRITTEN, max(address, code), agent, site, -1, 0)


@njit(cache=True)
def check(
    shadow: Any, agent: int, site: int, address: int, size: int, write: bool, known: int
) -> None:
    """An agent accesses `size` bytes at an address; the first `known` of a read must be written."""
    if agent < shadow.word[s.CORES]:
        shadow.acts[agent] += 1
    if write and agent < shadow.word[s.CORES]:
        shadow.wrote[agent, 0] = shadow.clock[agent, agent]
        shadow.wrote[agent, 1] = site
    elif write and size > 0:
        _check_target(shadow, agent, site, address, size)
    offset = address - shadow.word[s.TCDM_BASE]
    if 0 <= offset < shadow.word[s.TCDM_GRANULES] * s.GRANULE:
        first = offset // s.GRANULE
        last = (offset + size + s.GRANULE - 1) // s.GRANULE
        _check_tcdm(shadow, agent, site, first, last, write, (offset + known) // s.GRANULE)
        return
    offset = address - shadow.word[s.L2_BASE]
    if offset >= 0:
        last = (offset + size + s.GRANULE - 1) // s.GRANULE
        _check_l2(shadow, agent, site, offset // s.GRANULE, last, write)


@njit(cache=True)
def flush(state: Any, shadow: Any, log: Any, core: int) -> None:
    """Check the accesses a core has logged since the last time."""
    used = state.s[core, st.LOG_USED]
    for index in range(shadow.checked[core], used):
        row = log[core, index]
        site = row[4] << 32 | (row[0] & 0xFFFFFFFF)
        check(shadow, core, site, row[1] & 0xFFFFFFFF, row[2], row[3] != 0, row[2])
    shadow.checked[core] = used
