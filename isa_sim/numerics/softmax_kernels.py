"""Compiled steps of SoftEx's softmax: maximum, lane sums, accumulator, reciprocal.

Values are bit patterns: BF16 in ``int`` (16 bits), binary32 as ``float32``. The accumulator is
simulated clock by clock (as the public RTL's
``softex_acc_datapath``), because the order in which partial sums and rescaling factors meet
depends on time, and because it gives the job's exact duration.
"""

# pyright: basic, reportCallIssue=false

import numpy as np

from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.numerics.rowwise_kernels import as_float, as_int, fma, narrow, widen

NEGATIVE_INFINITY = 0xFF80
PARTIALS = 4
"""Stages of the accumulator's FMA, and with that the partial sums under way."""
ADDENDS = 12
"""Entries of the addend FIFO."""
FACTORS = 3
"""Entries of the factor FIFO."""
_QUIET = np.int32(0x7FC00000)

# Fields of `state`, what a row carries from one step to the next.
MAX = 0
VALID = 1
"""A maximum exists: the next rise of it carries a factor."""
DENOMINATOR = 2
RECIPROCAL = 3
RECIPROCAL_BF16 = 4
REDUCTION = 5
"""First cycle of the accumulator's state REDUCTION."""
INVERSION = 6
"""First cycle of its state INVERSION."""
RESCALES = 7
STATE_WORDS = 8


@njit(cache=True)
def quiet(a):
    """A binary32 result with a canonical NaN."""
    return as_float(_QUIET) if a != a else a


@njit(cache=True)
def fused(a, b, c):
    """``a * b + c`` in binary32, rounded once; NaN is canonical."""
    return quiet(fma(a, b, c))


@njit(cache=True)
def order(bits):
    """Key of the hardware's order: sign-magnitude comparison of raw bits."""
    return -(bits & 0x7FFF) - 1 if bits & 0x8000 else bits & 0x7FFF


@njit(cache=True)
def _beat_sum(beat, lanes, enabled, table, maximum, work):
    """Lane exponentials of one beat, summed by the adder tree."""
    largest = widen(np.uint16(maximum))
    for lane in range(lanes):
        if lane < enabled:
            difference = narrow(widen(np.uint16(beat[lane])) - largest)
            work[lane] = widen(table[difference])
        else:
            work[lane] = np.float32(0.0)
    width = lanes
    while width > 1:
        width //= 2
        for lane in range(width):
            work[lane] = quiet(work[2 * lane] + work[2 * lane + 1])
    return work[0]


@njit(cache=True, makes_arrays=True)
def accumulate(x, lanes, enabled_last, table, resumed, slot_value, state, first_cycle):
    """One pass over ``x`` (uint16[beats * lanes]): maximum, denominator and its cycles.

    ``enabled_last`` lanes of the last beat take part. ``state`` (int64[STATE_WORDS]) holds the
    maximum before and all results after. ``resumed``: the chunk continues a row whose
    denominator so far is ``slot_value``. ``first_cycle`` is when the first lane sum arrives.
    """
    beats = x.size // lanes
    sums = np.empty(beats, np.float32)
    tags = np.zeros(beats, np.bool_)
    factors = np.zeros(beats, np.float32)
    work = np.empty(lanes, np.float32)
    maximum = state[MAX]
    valid = state[VALID] != 0
    rescales = 0
    for i in range(beats):
        beat = x[i * lanes : (i + 1) * lanes]
        enabled = lanes if i < beats - 1 else enabled_last
        key = -70000
        largest = 0
        for lane in range(enabled):
            lane_key = order(np.int64(beat[lane]))
            if lane_key > key:
                key = lane_key
                largest = np.int64(beat[lane])
        if enabled > 0 and key > order(maximum):
            if valid:
                tags[i] = True
                rescales += 1
                step = narrow(widen(np.uint16(maximum)) - widen(np.uint16(largest)))
                factors[i] = widen(table[step])
            maximum = largest
        valid = True
        sums[i] = _beat_sum(beat, lanes, enabled, table, maximum, work)
    state[MAX] = maximum
    state[VALID] = 1
    state[RESCALES] = rescales
    denominator = _accumulator(sums, tags, factors, resumed, slot_value, state, first_cycle)
    state[DENOMINATOR] = np.int64(as_int(denominator)) & 0xFFFFFFFF


@njit(cache=True, makes_arrays=True)
def _accumulator(sums, tags, factors, resumed, slot_value, state, first_cycle):
    """The accumulator's FMA loop, one iteration a clock; returns the denominator."""
    beats = sums.size
    value = np.zeros(PARTIALS, np.float32)
    tag = np.zeros(PARTIALS, np.int64)
    full = np.zeros(PARTIALS, np.bool_)
    addend = np.zeros(ADDENDS, np.float32)
    addend_tag = np.zeros(ADDENDS, np.int64)
    addend_head, addend_count = 0, 0
    factor = np.zeros(FACTORS, np.float32)
    factor_tag = np.zeros(FACTORS, np.int64)
    factor_uses = np.zeros(FACTORS, np.int64)
    factor_head, factor_count = 0, 0
    tags_given, partials, used = 0, 0, 0
    accepted = 0
    last_accepted = -10
    state_reduction = False
    toggle_push = True
    cycle = first_cycle
    if resumed:
        addend[0] = slot_value
        addend_count = 1
        cycle = 4
    out = PARTIALS - 1
    while True:
        # Values at the start of the cycle.
        addends, factors_waiting = addend_count, factor_count
        ready = addends < ADDENDS and factors_waiting < FACTORS and not state_reduction
        ov = full[out]
        o, o_tag = value[out], tag[out]
        has_a, has_f = addends > 0, factors_waiting > 0
        a, a_tag = addend[addend_head], addend_tag[addend_head]
        finishing = accepted == beats and cycle >= last_accepted + 2
        enters = finishing and not state_reduction and addends == 0 and factors_waiting == 0
        reducing = state_reduction or enters
        if enters:
            state[REDUCTION] = cycle + 1

        fm = ov and has_f and factor_tag[factor_head] == o_tag and (not has_a or a_tag != o_tag)
        am = ov and has_a and a_tag == ((o_tag + 1) % 4 if fm else o_tag)
        issue, pop, push, consumed = False, False, False, False
        issued, issued_tag = np.float32(0.0), 0
        if reducing:
            if ov and partials == 1:
                state[INVERSION] = cycle + 1
                return o
            if ov:
                consumed = True
                if toggle_push:
                    push = True
                elif has_a:
                    issue, pop = True, am
                    issued, issued_tag = quiet(o + a), o_tag
                    partials -= 1
                toggle_push = not toggle_push
        else:
            pop = am or (not ov and has_a)
            issue = has_a or (has_f and ov)
            consumed = ov and (has_a or has_f)
            if issue:
                if not ov:
                    # a + 0: a negative zero becomes positive.
                    issued, issued_tag = quiet(a + np.float32(0.0)), a_tag
                    if partials < PARTIALS:
                        partials += 1
                elif fm and am:
                    issued = fused(factor[factor_head], o, a)
                    issued_tag = (o_tag + 1) % 4
                elif fm:
                    issued = quiet(o * factor[factor_head])
                    issued_tag = (o_tag + 1) % 4
                elif am:
                    issued, issued_tag = quiet(o + a), o_tag
                else:
                    issued, issued_tag = quiet(o + np.float32(0.0)), o_tag
            if fm:
                used += 1
                if used == factor_uses[factor_head]:
                    used = 0
                    factor_head = (factor_head + 1) % FACTORS
                    factor_count -= 1
        if pop:
            addend_head = (addend_head + 1) % ADDENDS
            addend_count -= 1
        if push:
            slot = (addend_head + addend_count) % ADDENDS
            addend[slot], addend_tag[slot] = o, o_tag
            addend_count += 1
        # A lane sum arrives.
        if accepted < beats and ready and cycle >= first_cycle + accepted:
            slot = (addend_head + addend_count) % ADDENDS
            addend[slot] = sums[accepted]
            if tags[accepted]:
                addend_tag[slot] = (tags_given + 1) % 4
                place = (factor_head + factor_count) % FACTORS
                factor[place] = factors[accepted]
                factor_tag[place] = tags_given % 4
                # `partials` already counts one that opened in this cycle.
                factor_uses[place] = partials
                factor_count += 1
                tags_given += 1
            else:
                addend_tag[slot] = tags_given % 4
            addend_count += 1
            accepted += 1
            last_accepted = cycle
        # The pipeline moves; bubbles collapse.
        free = consumed or not ov
        if free:
            full[out] = False
        for stage in range(out, 0, -1):
            if not full[stage] and full[stage - 1]:
                full[stage] = True
                value[stage], tag[stage] = value[stage - 1], tag[stage - 1]
                full[stage - 1] = False
        if issue:
            full[0] = True
            value[0], tag[0] = issued, issued_tag
        if enters:
            state_reduction = True
        cycle += 1
        if cycle > first_cycle + 64 * (beats + 64):
            state[REDUCTION] = -1
            return as_float(_QUIET)


@njit(cache=True)
def reciprocal(denominator):
    """1 / denominator in binary32: a seed from the mantissa and two Newton steps."""
    bits = np.int64(as_int(denominator))
    sign = bits & 0x80000000
    exponent = (bits >> 23) & 0xFF
    mantissa = (bits >> 16) & 0x7F
    if mantissa == 0:
        seed = sign | (((254 - exponent) & 0xFF) << 23)
    else:
        n = ~mantissa & 127
        seed = sign | (((253 - exponent) & 0xFF) << 23) | (((((n >> 1) * n) >> 6) & 0x7F) << 16)
    x = as_float(np.int32(seed))
    for _ in range(2):
        x = quiet(x * fused(-denominator, x, np.float32(2.0)))
    return x


@njit(cache=True)
def invert(state):
    """Fill the reciprocals of ``state`` from its denominator."""
    rec = reciprocal(as_float(np.int32(state[DENOMINATOR])))
    state[RECIPROCAL] = np.int64(as_int(rec)) & 0xFFFFFFFF
    state[RECIPROCAL_BF16] = np.int64(narrow(rec))


@njit(cache=True)
def normalise(x, lanes, enabled_last, table, maximum, rec16, out):
    """Second pass: ``out[i] = bf16(expp(bf16(x[i] - max)) * rec)`` for ``out.size`` elements.

    The subtrahend is the larger of the stored maximum and the beat's; it is not stored back.
    Returns the number of beats that exceeded the stored maximum.
    """
    beats = x.size // lanes
    factor = widen(np.uint16(rec16))
    above = 0
    for i in range(beats):
        enabled = lanes if i < beats - 1 else enabled_last
        key = order(maximum)
        largest = maximum
        for lane in range(enabled):
            lane_key = order(np.int64(x[i * lanes + lane]))
            if lane_key > key:
                key = lane_key
                largest = np.int64(x[i * lanes + lane])
        if largest != maximum:
            above += 1
        base = widen(np.uint16(largest))
        for j in range(i * lanes, min((i + 1) * lanes, out.size)):
            out[j] = narrow(widen(table[narrow(widen(x[j]) - base)]) * factor)
    return above


@njit(cache=True)
def softmax_row(x, lanes, enabled_last, table, state, out, first_cycle):
    """A whole row: both passes. ``x`` is padded to whole beats, ``out`` has the row's length."""
    state[MAX] = NEGATIVE_INFINITY
    state[VALID] = 0
    accumulate(x, lanes, enabled_last, table, False, np.float32(0.0), state, first_cycle)
    if state[REDUCTION] >= 0:
        invert(state)
        normalise(x, lanes, enabled_last, table, state[MAX], state[RECIPROCAL_BF16], out)


@njit(cache=True)
def softmax_job(memory, lanes, table, state, first_cycle, source, target, length, enabled_last):
    """A row within a memory (uint16): element indices of input and output, length in elements.

    Returns the inversion cycle, or -1, with nothing written, if the row deserves a closer look:
    what follows it takes part, or its denominator is not finite.
    """
    beats = (length + lanes - 1) // lanes
    x = memory[source : source + beats * lanes]
    for i in range(length, (beats - 1) * lanes + enabled_last):
        if x[i] != NEGATIVE_INFINITY:
            return -1
    state[MAX] = NEGATIVE_INFINITY
    state[VALID] = 0
    accumulate(x, lanes, enabled_last, table, False, np.float32(0.0), state, first_cycle)
    if state[REDUCTION] < 0 or state[DENOMINATOR] & 0x7F800000 == 0x7F800000:
        return -1
    invert(state)
    out = memory[target : target + length]
    normalise(x, lanes, enabled_last, table, state[MAX], state[RECIPROCAL_BF16], out)
    return state[INVERSION]


@njit(cache=True, nogil=True, makes_arrays=True)
def softmax_rows(x, lanes, table, out):
    """Rows padded with -inf: ``x`` uint16[rows, beats * lanes], ``out`` uint16[rows, length]."""
    state = np.zeros(STATE_WORDS, np.int64)
    for i in range(x.shape[0]):
        softmax_row(x[i], lanes, lanes, table, state, out[i], 0)


@njit(cache=True, nogil=True, makes_arrays=True)
def softmax_rows_by_chunks(x, chunk, lanes, table, out):
    """As :func:`softmax_rows`, in jobs of ``chunk`` elements that divide the row.

    The state spills between the jobs, which loses the sign of the value.
    """
    state = np.zeros(STATE_WORDS, np.int64)
    columns = x.shape[1]
    for i in range(x.shape[0]):
        state[MAX] = NEGATIVE_INFINITY
        state[VALID] = 0
        value = np.float32(0.0)
        for start in range(0, columns, chunk):
            part = x[i, start : start + chunk]
            accumulate(part, lanes, lanes, table, start > 0, value, state, 22)
            value = np.float32(abs(as_float(np.int32(state[DENOMINATOR]))))
        reciprocal_ = np.float32(abs(reciprocal(value)))
        rec16 = np.int64(narrow(reciprocal_))
        for start in range(0, columns, chunk):
            part = x[i, start : start + chunk]
            end = min(start + chunk, out.shape[1])
            if start < end:
                normalise(part, lanes, lanes, table, state[MAX], rec16, out[i, start:end])
