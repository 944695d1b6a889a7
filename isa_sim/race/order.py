"""The race detector's compiled part: what orders agents (see `isa_sim.sanitizer` for the model)."""

from typing import Any

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.events import signed
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.race import state as s
from softex_mlir.isa_sim.race.memory import check, report
from softex_mlir.isa_sim.units import control, dma, event_unit


@njit(cache=True)
def _join(into: Any, other: Any) -> None:
    for index in range(into.shape[0]):
        into[index] = max(into[index], other[index])


@njit(cache=True)
def _copy(into: Any, other: Any) -> None:
    for index in range(into.shape[0]):
        into[index] = other[index]


@njit(cache=True)
def _is_shown(look: Any, acts: int, pc: int, news: bool) -> bool:
    """Whether a core that looks is shown news: if it looked there and did nothing since then.

    Who looks elsewhere, or does something in between, may go by what it saw the first time.
    """
    this = acts << 32 | pc
    again = look[1] == this or look[0] >= s.MOST_LOOKS
    look[1] = this
    if news and again:
        look[:] = 0
        return True
    look[0] += news
    return False


# --- events ----------------------------------------------------------------------------------


@njit(cache=True)
def _latch(shadow: Any, core: int, event: int, clock: Any) -> None:
    """An event of a core: what orders is the first one since the core took the last."""
    if not shadow.latched[core] >> event & 1:
        shadow.latched[core] |= 1 << event
        _copy(shadow.event[core, event], clock)


@njit(cache=True)
def _take_events(dev: Any, shadow: Any, core: int, bits: int) -> None:
    """A core has seen events; those that are not in its buffer any more may latch again.

    A program that waits for one of several events and drops which one it was knows of none.
    """
    mask = dev.core[core, d.CORE_MASK] | 1 << event_unit.EVENT_BARRIER
    several = (mask & (mask - 1)) & ~(1 << event_unit.EVENT_BARRIER)
    if shadow.drops_result[core] and several:
        bits &= 1 << event_unit.EVENT_BARRIER
    for event in range(s.EVENTS):
        if bits >> event & 1 and shadow.latched[core] >> event & 1:
            _join(shadow.clock[core], shadow.event[core, event])
    shadow.latched[core] &= dev.core[core, d.CORE_BUFFER]


@njit(cache=True)
def woken(dev: Any, shadow: Any) -> None:
    """Cores about to be woken take their events."""
    for core in range(dev.word[d.CORES]):
        if dev.core[core, d.CORE_RESUME] >= 0:
            _take_events(dev, shadow, core, dev.core[core, d.CORE_RESULT])


@njit(cache=True)
def _access_events(
    dev: Any, shadow: Any, core: int, offset: int, kind: int, value: int, status: int
) -> None:
    clock = shadow.clock[core]
    if offset >= event_unit.BARRIER:
        barrier = (offset - event_unit.BARRIER) // event_unit.BARRIER_STRIDE
        register = (offset - event_unit.BARRIER) % event_unit.BARRIER_STRIDE
        if register < event_unit.BARRIER_TRIGGER or barrier >= event_unit.BARRIERS:
            return
        released = shadow.barrier[barrier]
        _join(released, clock)
        clock[core] += 1
        if dev.barrier[barrier, 1] == 0:
            # It opened: whoever waits or is a target acquires what all have released.
            members = dev.barrier[barrier, 0] | dev.barrier[barrier, 2]
            for other in range(dev.word[d.CORES]):
                if members >> other & 1:
                    shadow.latched[other] &= ~(1 << event_unit.EVENT_BARRIER)
                    _latch(shadow, other, event_unit.EVENT_BARRIER, released)
            released[:] = 0
        return
    if kind != d.STORE:
        if status == d.DONE and offset >= event_unit.BUFFER:
            _take_events(dev, shadow, core, dev.word[d.VALUE])
        return
    event = (offset - event_unit.SW_EVENT_TRIGGER) // 4
    if 0 <= event < event_unit.SW_EVENTS:
        for target in range(dev.word[d.CORES]):
            if value == 0 or value >> target & 1:
                _latch(shadow, target, event, clock)
        clock[core] += 1
    shadow.latched[core] &= dev.core[core, d.CORE_BUFFER]


# --- timeline words --------------------------------------------------------------------------


@njit(cache=True)
def _store_word(shadow: Any, core: int, word: int, value: int, site: int) -> None:
    """Remember a store; one that does not know of the store before it may undo that one."""
    clock = shadow.clock[core]
    count = shadow.store_count[word]
    if count > 0:
        last = shadow.store_by[word, (count - 1) % s.KEPT]
        if clock[last[0]] < last[1]:
            at = shadow.word[s.TCDM_BASE] + 4 * word
            report(shadow, s.WRITE_AFTER_WRITE, at, core, site, last[0], last[2])
    place = count % s.KEPT
    shadow.store_value[word, place] = value
    shadow.store_by[word, place, 0] = core
    shadow.store_by[word, place, 1] = clock[core]
    shadow.store_by[word, place, 2] = site
    _copy(shadow.store_vector[word, place], clock)
    shadow.store_count[word] = count + 1
    shadow.store_seen[core, word] = count + 1
    shadow.store_look[core, word, :] = 0
    clock[core] += 1


@njit(cache=True)
def _load_word(dev: Any, shadow: Any, core: int, word: int, pc: int) -> None:
    """Show the core the oldest value it may see, and order the store of it before the core.

    That is the last store it knows of. Where there is news, who looks again finds the next store.
    """
    clock = shadow.clock[core]
    count = shadow.store_count[word]
    shown = shadow.store_seen[core, word]
    for index in range(max(shown, count - s.KEPT + 1), count):
        by = shadow.store_by[word, index % s.KEPT]
        if clock[by[0]] >= by[1]:
            shown = index + 1
    look = shadow.store_look[core, word]
    if shown != shadow.store_seen[core, word]:
        look[:] = 0
    if _is_shown(look, shadow.acts[core], pc, shown < count):
        shown = max(shown + 1, count - s.KEPT + 1)
    shadow.store_seen[core, word] = shown
    if shown == 0:
        dev.word[d.VALUE] = shadow.store_first[word]
    else:
        place = (shown - 1) % s.KEPT
        _join(clock, shadow.store_vector[word, place])
        dev.word[d.VALUE] = shadow.store_value[word, place]
    if shown < count and word < event_unit.SW_EVENTS:
        # The rest is news as soon as the core looks again.
        dev.core[core, d.CORE_BUFFER] |= 1 << word


# --- units and DMA ---------------------------------------------------------------------------


@njit(cache=True)
def _slot(shadow: Any, device: int, core: int) -> int:
    if shadow.slot_of[device, core] >= 0:
        return shadow.slot_of[device, core]
    slot = shadow.word[s.SLOTS_USED]
    first = 0
    while first < slot and shadow.slot_device[first] != device:
        first += 1
    # Every device can have one: the last ones are for those that have none.
    spare = shadow.slot_device.shape[0] - shadow.slot_of.shape[0]
    if first < slot and slot >= spare:
        # A machine of many cores: this one shares a slot of the device.
        slot = first
    else:
        shadow.word[s.SLOTS_USED] = slot + 1
        shadow.slot_device[slot] = device
        shadow.slot_core[slot] = core
    shadow.slot_of[device, core] = slot
    return slot


@njit(cache=True)
def _start(shadow: Any, device: int, core: int) -> int:
    """A core starts a job or transfer: the slot's clock for it.

    A device works in order: what is known to have been started before is over when this begins.
    """
    slot = _slot(shadow, device, core)
    agents = shadow.word[s.AGENTS]
    agent = shadow.word[s.CORES] + slot
    mine, clock = shadow.clock[core], shadow.clock[agent]
    _join(clock, mine)
    for other in range(shadow.word[s.SLOTS_USED]):
        if shadow.slot_device[other] == device:
            component = shadow.word[s.CORES] + other
            clock[component] = max(clock[component], mine[agents + other])
    clock[agent] += 1
    mine[agents + slot] = clock[agent]
    clock[agents + slot] = clock[agent]
    mine[core] += 1
    place = shadow.issued[device] % s.KEPT
    shadow.issued_by[device, place, 0] = slot
    shadow.issued_by[device, place, 1] = clock[agent]
    shadow.issued[device] += 1
    return slot


@njit(cache=True)
def _end(dev: Any, shadow: Any, device: int, core: int, event: int) -> None:
    """The oldest job or transfer of a device is done; its core gets an event."""
    by = shadow.issued_by[device, shadow.done[device] % s.KEPT]
    shadow.done[device] += 1
    shadow.done_clock[by[0]] = by[1]
    if not shadow.latched[core] >> event & 1:
        _latch(shadow, core, event, shadow.clock[core])
        component = shadow.word[s.CORES] + by[0]
        shadow.event[core, event, component] = max(shadow.event[core, event, component], by[1])


@njit(cache=True)
def _know(shadow: Any, core: int, slot: int, ended: int) -> None:
    """A core has seen work of a slot ended: as far as it knows that it was started, it is over."""
    clock = shadow.clock[core]
    component = shadow.word[s.CORES] + slot
    started = clock[shadow.word[s.AGENTS] + slot]
    clock[component] = max(clock[component], min(ended, started))


@njit(cache=True)
def _know_all(shadow: Any, core: int, device: int) -> None:
    """A core has seen a device idle."""
    for slot in range(shadow.word[s.SLOTS_USED]):
        if shadow.slot_device[slot] == device:
            _know(shadow, core, slot, shadow.done_clock[slot])


@njit(cache=True)
def _count_ends(dev: Any, shadow: Any, core: int, device: int, event: int, pc: int) -> int:
    """Show the core the ends it knows of, and one more if it looks again; how many that are."""
    done = shadow.done[device]
    clock = shadow.clock[core]
    look = shadow.done_look[core, device]
    shown = max(shadow.done_seen[core, device], done - s.KEPT + 1)
    while shown < done:
        by = shadow.issued_by[device, shown % s.KEPT]
        if clock[shadow.word[s.CORES] + by[0]] < by[1]:
            break
        shown += 1
        shadow.shown_clock[core, by[0]] = by[1]
        look[:] = 0
    if _is_shown(look, shadow.acts[core], pc, shown < done):
        by = shadow.issued_by[device, shown % s.KEPT]
        shown += 1
        shadow.shown_clock[core, by[0]] = by[1]
    shadow.done_seen[core, device] = shown
    for slot in range(shadow.word[s.SLOTS_USED]):
        if shadow.slot_device[slot] == device:
            _know(shadow, core, slot, shadow.shown_clock[core, slot])
    if shown < done:
        dev.core[core, d.CORE_BUFFER] |= 1 << event
    return shown


@njit(cache=True)
def _looks_busy(shadow: Any, core: int, device: int, pc: int) -> bool:
    """Whether a core that looks at an idle device is shown it busy: if it knows of work that may
    not have ended, until it looks again."""
    clock = shadow.clock[core]
    for slot in range(shadow.word[s.SLOTS_USED]):
        component = shadow.word[s.CORES] + slot
        started = clock[shadow.word[s.AGENTS] + slot]
        if shadow.slot_device[slot] == device and clock[component] < started:
            return not _is_shown(shadow.done_look[core, device], shadow.acts[core], pc, True)
    return False


@njit(cache=True)
def before_completion(dev: Any, shadow: Any, time: int) -> None:
    """Unit jobs and transfers due at `time` end."""
    for unit in range(dev.unit.shape[0]):
        context = dev.unit[unit, d.RUNNING]
        if context < 0:
            continue
        at = d.JOB + context * d.JOB_COLUMNS
        if dev.unit[unit, at + d.JOB_DONE] > time:
            continue
        core, event = dev.unit[unit, at + d.JOB_CORE], dev.unit[unit, d.EVENT]
        _end(dev, shadow, s.FIRST_UNIT + unit, core, event)
    for channel in range(2):
        state = dev.channel[channel]
        for index in range(state[d.CHANNEL_COUNT]):
            slot = (state[d.CHANNEL_HEAD] + index) % dev.word[d.DMA_QUEUE]
            at = d.QUEUE + slot * d.TRANSFER_COLUMNS
            if state[at + d.TRANSFER_DONE] > time:
                break
            core = state[at + d.TRANSFER_CORE]
            _end(dev, shadow, s.CHANNEL_0 + channel, core, event_unit.EVENT_DMA)


@njit(cache=True)
def start_job(shadow: Any, unit: int, context: int, core: int) -> int:
    """A unit's job begins; its agent. Its accesses are checked with `check` afterwards."""
    slot = _start(shadow, s.FIRST_UNIT + unit, core)
    agent = shadow.word[s.CORES] + slot
    shadow.context[unit, context, 0] = slot
    shadow.context[unit, context, 1] = shadow.clock[agent, agent]
    return agent


@njit(cache=True)
def _start_transfer(dev: Any, shadow: Any, channel: int, core: int, time: int) -> None:
    agent = shadow.word[s.CORES] + _start(shadow, s.CHANNEL_0 + channel, core)
    site = time << 32 | (dev.word[d.DMA_USED] - 1)
    reg = dev.core[core, d.DMA_DESCRIPTOR :]
    dst, src, length = reg[0], reg[1], reg[2]
    d2, s2 = signed(reg[3]), signed(reg[4])
    d3, s3 = signed(reg[6]), signed(reg[7])
    for k in range(reg[8]):
        for j in range(reg[5]):
            check(shadow, agent, site, src + k * s3 + j * s2, length, False, length)
            check(shadow, agent, site, dst + k * d3 + j * d2, length, True, 0)


@njit(cache=True)
def _access_dma(dev: Any, shadow: Any, core: int, time: int, register: int, pc: int) -> None:
    if register == dma.NEXT_ID_0:
        _start_transfer(dev, shadow, 0, core, time)
    elif register == dma.NEXT_ID_1:
        _start_transfer(dev, shadow, 1, core, time)
    elif register == dma.DONE_ID_0 or register == dma.DONE_ID_1:
        device = s.CHANNEL_0 if register == dma.DONE_ID_0 else s.CHANNEL_1
        dev.word[d.VALUE] = _count_ends(dev, shadow, core, device, event_unit.EVENT_DMA, pc)
    elif (register == dma.STATUS_0 or register == dma.STATUS_1) and dev.word[d.VALUE] == 0:
        device = s.CHANNEL_0 if register == dma.STATUS_0 else s.CHANNEL_1
        if _looks_busy(shadow, core, device, pc):
            dev.word[d.VALUE] = 1
            dev.core[core, d.CORE_BUFFER] |= 1 << event_unit.EVENT_DMA
        else:
            _know_all(shadow, core, device)


@njit(cache=True)
def _access_unit(dev: Any, shadow: Any, core: int, unit: int, register: int, pc: int) -> None:
    if register == control.ACQUIRE:
        # A context is free: the job it had before is done.
        if 0 <= dev.word[d.VALUE] < 0x80000000:
            last = shadow.context[unit, dev.unit[unit, d.LOCKED]]
            _know(shadow, core, last[0], last[1])
    elif register == control.STATUS:
        if dev.word[d.VALUE] != 0x101 and _looks_busy(shadow, core, s.FIRST_UNIT + unit, pc):
            dev.word[d.VALUE] |= 0x101
            dev.core[core, d.CORE_BUFFER] |= 1 << dev.unit[unit, d.EVENT]
        for context in range(2):
            if dev.word[d.VALUE] >> (8 * context) & 1 == 0:
                last = shadow.context[unit, context]
                _know(shadow, core, last[0], last[1])
    elif register == control.FINISHED and dev.word[d.VALUE] != 0:
        if _looks_busy(shadow, core, s.FIRST_UNIT + unit, pc):
            dev.word[d.VALUE] = 0
            dev.core[core, d.CORE_BUFFER] |= 1 << dev.unit[unit, d.EVENT]
        else:
            _know_all(shadow, core, s.FIRST_UNIT + unit)
    elif register == control.RUNNING_JOB:
        event = dev.unit[unit, d.EVENT]
        ends = _count_ends(dev, shadow, core, s.FIRST_UNIT + unit, event, pc)
        dev.word[d.VALUE] = (ends - shadow.base[unit]) & 0xFF


@njit(cache=True)
def at_end(shadow: Any, core: int, time: int, site: int) -> None:
    """A core ends the program; the others go on for a while, so that what is cut off shows."""
    if shadow.word[s.ENDED_BY] < 0:
        shadow.word[s.ENDED_BY], shadow.word[s.ENDED_AT] = core, time
        shadow.word[s.ENDED_SITE] = site
        _copy(shadow.end_clock, shadow.clock[core])


@njit(cache=True)
def is_over(shadow: Any, time: int) -> bool:
    """Whether a program that has ended has been watched long enough."""
    if shadow.word[s.ENDED_BY] < 0:
        return False
    return time > shadow.word[s.ENDED_AT] + s.WATCHED_BEHIND


@njit(cache=True)
def after_end(shadow: Any) -> None:
    """Report what the core that ended the program does not know to be over."""
    cores, core, site = shadow.word[s.CORES], shadow.word[s.ENDED_BY], shadow.word[s.ENDED_SITE]
    for slot in range(shadow.word[s.SLOTS_USED]):
        agent = cores + slot
        if shadow.clock[agent, agent] > shadow.end_clock[agent]:
            report(shadow, s.ENDS_BEFORE, 0, core, site, agent, 0)
    for other in range(cores):
        if other != core and shadow.wrote[other, 0] > shadow.end_clock[other]:
            report(shadow, s.ENDS_BEFORE, 0, core, site, other, shadow.wrote[other, 1])


@njit(cache=True)
def _acts(dev: Any, address: int, kind: int) -> bool:
    """Whether an access is more than a look: a store, but no mask or buffer of the event unit's, or
    the start of a transfer."""
    offset = address - dev.word[d.PERIPHERAL_BASE]
    for base in (event_unit.ALIAS_OFFSET, event_unit.GLOBAL_OFFSET):
        if base <= offset < base + event_unit.ALIAS_BYTES:
            return offset - base >= event_unit.SW_EVENT_TRIGGER
    for base in (dma.ALIAS_OFFSET, dma.GLOBAL_OFFSET):
        if offset == base + dma.NEXT_ID_0 or offset == base + dma.NEXT_ID_1:
            return True
    return kind == d.STORE


@njit(cache=True)
def after_access(
    dev: Any, shadow: Any, core: int, time: int, address: int, kind: int, value: int,
    drops_result: bool, status: int, pc: int,
) -> None:  # fmt: skip
    """Apply the synchronisation edges of an access that was performed."""
    shadow.drops_result[core] = drops_result
    if status == d.RETRY:
        return
    if _acts(dev, address, kind):
        shadow.acts[core] += 1
    word = address - dev.word[d.TCDM_BASE]
    if 0 <= word < 4 * s.WORDS_SHARED:
        if kind == d.STORE:
            _store_word(shadow, core, word // 4, value & 0xFFFFFFFF, time << 32 | pc)
        else:
            _load_word(dev, shadow, core, word // 4, pc)
        return
    offset = address - dev.word[d.PERIPHERAL_BASE]
    for base in (event_unit.ALIAS_OFFSET, event_unit.GLOBAL_OFFSET):
        if base <= offset < base + event_unit.ALIAS_BYTES:
            _access_events(dev, shadow, core, offset - base, kind, value & 0xFFFFFFFF, status)
            woken(dev, shadow)
            return
    for base in (dma.ALIAS_OFFSET, dma.GLOBAL_OFFSET):
        if base <= offset < base + dma.ALIAS_BYTES:
            if kind != d.STORE:
                _access_dma(dev, shadow, core, time, offset - base, pc)
            return
    for unit in range(dev.unit.shape[0]):
        register = offset - dev.unit[unit, d.OFFSET]
        if not dev.unit[unit, d.PRESENT] or not 0 <= register < control.BYTES:
            continue
        if kind != d.STORE:
            _access_unit(dev, shadow, core, unit, register, pc)
        elif register == control.SOFT_CLEAR:
            device = s.FIRST_UNIT + unit
            shadow.base[unit] = shadow.done[device]
            shadow.done_seen[:, device] = shadow.done[device]
        return
