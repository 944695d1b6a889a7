// Iterations go round robin over five cores, three of the eight drive other streams.
// RUN: softex-opt %s -p convert-parallel-to-loops | filecheck %s

// CHECK: func.func @f
func.func @f() attributes {cluster.stream = #cluster<stream compute>} {
  %lo, %hi = "test.op"() : () -> (index, index)
  // CHECK: %[[CORE:.*]] = cluster.core_id : i32
  // CHECK-NEXT: %[[FIRST:.*]] = arith.constant -3 : i32
  // CHECK-NEXT: %[[RANK:.*]] = arith.addi %[[CORE]], %[[FIRST]] : i32
  // CHECK-NEXT: %[[INDEX:.*]] = arith.index_cast %[[RANK]] : i32 to index
  // CHECK-NEXT: %[[START:.*]] = arith.addi %lo, %[[INDEX]] : index
  // CHECK-NEXT: %[[SIZE:.*]] = arith.constant 5 : index
  // CHECK-NEXT: scf.for %r = %[[START]] to %hi step %[[SIZE]] {
  cluster.parallel (%r) = %lo to %hi {
    "test.op"(%r) : (index) -> ()
  }
  // the leader has no part in it: four cores
  // CHECK: cluster.core_id
  // CHECK: arith.cmpi ne
  // CHECK-NEXT: scf.if
  // CHECK: arith.constant -4 : i32
  // CHECK: %[[SIZE:.*]] = arith.constant 4 : index
  // CHECK-NEXT: scf.for %{{.*}} to %hi step %[[SIZE]] {
  cluster.parallel (%r) = %lo to %hi attributes {without_leader} {
    "test.op"(%r) : (index) -> ()
  }
  // CHECK: %[[CORE:.*]] = cluster.core_id : i32
  // CHECK-NEXT: %[[LEADER:.*]] = arith.constant 3 : i32
  // CHECK-NEXT: %[[IS:.*]] = arith.cmpi eq, %[[CORE]], %[[LEADER]] : i32
  // CHECK-NEXT: scf.if %[[IS]] {
  cluster.leader {
    "test.op"() : () -> ()
  }
  // CHECK: cluster.core_id
  %index = cluster.team_index
  // CHECK: arith.constant 5 : index
  %size = cluster.team_size
  "test.op"(%index, %size) : (index, index) -> ()
  func.return
}
