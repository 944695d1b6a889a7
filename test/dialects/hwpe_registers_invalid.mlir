// Registers are checked against the unit's register map.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%v = "test.op"() : () -> i32
// expected-error@below {{redmule has no register IN_ADDR; it has TRIGGER, ACQUIRE, FINISHED, STATUS, RUNNING_JOB, SOFT_CLEAR, SW_EVT, X_ADDR}}
hwpe.write redmule "IN_ADDR", %v

// -----

// expected-error@below {{a core can sleep on EVENT_WAIT, EVENT_WAIT_CLEAR and BARRIER_<b>_TRIGGER_WAIT registers of the event unit, found softex STATUS}}
%v = hwpe.wait softex "STATUS"
