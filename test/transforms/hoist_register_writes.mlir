// What does not vary in a loop of jobs is programmed once; the clears then keep the registers.
// RUN: softex-opt %s -p hoist-register-writes,elide-redundant-register-writes | filecheck %s
// RUN: softex-opt %s -p hoist-register-writes -o %t && softex-opt %t -p hoist-register-writes | diff %t -

// CHECK: func.func @f
func.func @f() attributes {cluster.stream = #cluster<stream redmule>} {
  %a, %z = "test.op"() : () -> (i32, index)
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // CHECK: %[[KEEP:.*]] = arith.constant 1 : i32
  // CHECK-NEXT: hwpe.write redmule "SOFT_CLEAR", %[[KEEP]]
  // the address is computed again in front of the loop
  // CHECK-NEXT: %[[Z:.*]] = arith.index_cast %z : index to i32
  // CHECK-NEXT: hwpe.write redmule "Z_ADDR", %[[Z]]
  // CHECK-NEXT: %[[SIZE:.*]] = arith.constant 32 : i32
  // CHECK-NEXT: hwpe.write redmule "MCFG1", %[[SIZE]]
  // CHECK-NEXT: scf.for
  scf.for %i = %c0 to %c8 step %c1 {
    %0 = arith.constant 0 : i32
    %size = arith.constant 32 : i32
    %x = arith.index_cast %i : index to i32
    %zz = arith.index_cast %z : index to i32
    // CHECK: %[[KEEP:.*]] = arith.constant 1 : i32
    // CHECK-NEXT: hwpe.write redmule "SOFT_CLEAR", %[[KEEP]]
    hwpe.write redmule "SOFT_CLEAR", %0
    // after a clear that keeps the registers no write is lost
    hwpe.delay 1
    // CHECK-NEXT: hwpe.write redmule "X_ADDR", %x
    hwpe.write redmule "X_ADDR", %x
    hwpe.write redmule "Z_ADDR", %zz
    hwpe.write redmule "MCFG1", %size
    // CHECK-NEXT: hwpe.write redmule "MACFG"
    hwpe.write redmule "MACFG", %size
    // CHECK-NEXT: hwpe.write redmule "TRIGGER"
    hwpe.write redmule "TRIGGER", %0
    scf.while () : () -> () {
      %status = hwpe.read redmule "STATUS"
      %busy = arith.cmpi ne, %status, %0 : i32
      scf.condition(%busy)
    } do {
      %e = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
      scf.yield
    }
  }
  func.return
}

// A job still running at the end of an iteration: clearing before the loop could hit it.
// CHECK: func.func @running
func.func @running() attributes {cluster.stream = #cluster<stream redmule>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = arith.constant 0 : i32
  // CHECK-NOT: hwpe.write
  // CHECK: scf.for
  scf.for %i = %c0 to %c8 step %c1 {
    // CHECK: hwpe.write redmule "SOFT_CLEAR", %0
    hwpe.write redmule "SOFT_CLEAR", %0
    // CHECK-NEXT: hwpe.write redmule "MCFG0", %0
    hwpe.write redmule "MCFG0", %0
    // CHECK-NEXT: hwpe.write redmule "MCFG1", %0
    hwpe.write redmule "MCFG1", %0
    hwpe.write redmule "TRIGGER", %0
  }
  func.return
}

// Jobs go from iteration to iteration: what the first has set stays set.
// CHECK: func.func @carried
func.func @carried() attributes {cluster.stream = #cluster<stream redmule>} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = arith.constant 0 : i32
  // CHECK: %[[KEEP:.*]] = arith.constant 1 : i32
  // CHECK-NEXT: hwpe.write redmule "SOFT_CLEAR", %[[KEEP]]
  hwpe.write redmule "SOFT_CLEAR", %0
  hwpe.delay 1
  // CHECK-NEXT: hwpe.write redmule "MCFG0"
  hwpe.write redmule "MCFG0", %0
  hwpe.write redmule "TRIGGER", %0
  // CHECK: scf.for
  scf.for %i = %c0 to %c8 step %c1 {
    // CHECK: hwpe.write redmule "SOFT_CLEAR", %{{.*}}
    // CHECK-NEXT: hwpe.write redmule "TRIGGER"
    hwpe.write redmule "SOFT_CLEAR", %0
    hwpe.delay 1
    hwpe.write redmule "MCFG0", %0
    hwpe.write redmule "TRIGGER", %0
  }
  func.return
}
