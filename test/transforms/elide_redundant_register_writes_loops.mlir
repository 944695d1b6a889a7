// Contents are followed through loops and branches.
// RUN: softex-opt %s -p elide-redundant-register-writes | filecheck %s

// CHECK: func.func @loop
func.func @loop() attributes {cluster.stream = #cluster<stream dma_in>} {
  %a, %i = "test.op"() : () -> (i32, index)
  // CHECK: hwpe.write dma "LENGTH", %a
  hwpe.write dma "LENGTH", %a
  hwpe.write dma "SRC_ADDR", %a
  // CHECK: scf.for
  scf.for %j = %i to %i step %i {
    // LENGTH is the same in every iteration, SRC_ADDR changes, REPS_2 is unknown in the first
    // CHECK-NEXT: arith.index_cast
    %word = arith.index_cast %j : index to i32
    // CHECK-NEXT: hwpe.write dma "SRC_ADDR"
    // CHECK-NEXT: hwpe.write dma "REPS_2"
    // CHECK-NEXT: hwpe.read
    hwpe.write dma "LENGTH", %a
    hwpe.write dma "SRC_ADDR", %word
    hwpe.write dma "REPS_2", %a
    %id = hwpe.read dma "NEXT_ID_0"
  }
  // the loop may not have run
  // CHECK: hwpe.write dma "REPS_2"
  hwpe.write dma "REPS_2", %a
  func.return
}

// CHECK: func.func @branch
func.func @branch() attributes {cluster.stream = #cluster<stream dma_in>} {
  %a, %b, %c = "test.op"() : () -> (i32, i32, i1)
  hwpe.write dma "LENGTH", %a
  hwpe.write dma "REPS_2", %a
  scf.if %c {
    hwpe.write dma "LENGTH", %b
  }
  // CHECK: "after"
  "test.op"() {at = "after"} : () -> ()
  // CHECK-NEXT: hwpe.write dma "LENGTH", %a
  // CHECK-NEXT: func.return
  hwpe.write dma "LENGTH", %a
  hwpe.write dma "REPS_2", %a
  func.return
}
