// Register accesses round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s

%v = "test.op"() : () -> i32
// CHECK: hwpe.write redmule "MACFG", %v
hwpe.write redmule "MACFG", %v
// CHECK-NEXT: hwpe.read softex "ACQUIRE"
%job = hwpe.read softex "ACQUIRE"
// CHECK-NEXT: hwpe.read dma "NEXT_ID_1"
%id = hwpe.read dma "NEXT_ID_1"
// CHECK-NEXT: hwpe.read timeline "COMPUTE"
%count = hwpe.read timeline "COMPUTE"
// CHECK-NEXT: hwpe.write event_unit "SW_EVENT_3", %v
hwpe.write event_unit "SW_EVENT_3", %v
// CHECK-NEXT: hwpe.wait event_unit "EVENT_WAIT_CLEAR"
%e = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
// CHECK-NEXT: hwpe.wait event_unit "BARRIER_1_TRIGGER_WAIT_CLEAR"
%b = hwpe.wait event_unit "BARRIER_1_TRIGGER_WAIT_CLEAR"
// CHECK-NEXT: hwpe.delay 4
hwpe.delay 4
