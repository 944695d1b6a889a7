// Waiting for a counter, advancing one's own, and the events that are let through.
// RUN: softex-opt %s -p convert-synchronization | filecheck %s

// CHECK: func.func @in
// events 2 (redmule advanced) and 8 (transfer done)
// CHECK-NEXT: %[[MASK:.*]] = arith.constant 260 : i32
// CHECK-NEXT: hwpe.write event_unit "MASK", %[[MASK]]
func.func @in() attributes {cluster.stream = #cluster<stream dma_in>} {
  %v = "test.op"() : () -> index
  %done = hwpe.read dma "DONE_ID_0"
  // CHECK: %[[VALUE:.*]] = arith.index_cast %v : index to i32
  // CHECK-NEXT: scf.while () : () -> () {
  // CHECK-NEXT: %[[COUNT:.*]] = hwpe.read timeline "REDMULE"
  // CHECK-NEXT: %[[BEHIND:.*]] = arith.cmpi slt, %[[COUNT]], %[[VALUE]] : i32
  // CHECK-NEXT: scf.condition(%[[BEHIND]])
  // CHECK-NEXT: } do {
  // CHECK-NEXT: hwpe.wait event_unit "EVENT_WAIT_CLEAR"
  cluster.wait_for redmule, %v
  // CHECK: %[[COUNT:.*]] = hwpe.read timeline "DMA_IN"
  // CHECK-NEXT: %[[ONE:.*]] = arith.constant 1 : i32
  // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[COUNT]], %[[ONE]] : i32
  // CHECK-NEXT: hwpe.write timeline "DMA_IN", %[[NEXT]]
  // CHECK-NEXT: %[[ALL:.*]] = arith.constant 0 : i32
  // CHECK-NEXT: hwpe.write event_unit "SW_EVENT_0", %[[ALL]]
  cluster.advance
  func.return
}

// CHECK: func.func @team
// event 16 (barrier)
// CHECK-NEXT: %[[MASK:.*]] = arith.constant 65536 : i32
func.func @team() attributes {cluster.stream = #cluster<stream compute>} {
  // CHECK: hwpe.wait event_unit "BARRIER_1_TRIGGER_WAIT_CLEAR"
  cluster.barrier
  // CHECK-NEXT: hwpe.wait event_unit "BARRIER_1_TRIGGER_WAIT_CLEAR"
  // CHECK: arith.cmpi eq
  // CHECK-NEXT: scf.if
  // CHECK-NEXT: hwpe.read timeline "COMPUTE"
  // CHECK: hwpe.write timeline "COMPUTE"
  // CHECK: hwpe.write event_unit "SW_EVENT_3"
  cluster.advance
  func.return
}
