// Operations of the compute team round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s

%lo, %hi = "test.op"() : () -> (index, index)
// CHECK: cluster.parallel (%r) = %lo to %hi {
// CHECK-NEXT: "test.op"(%r) : (index) -> ()
cluster.parallel (%r) = %lo to %hi {
  "test.op"(%r) : (index) -> ()
}
// CHECK: cluster.parallel (%{{.*}}) = %lo to %hi attributes {layer = "a"} {
cluster.parallel (%r) = %lo to %hi attributes {layer = "a"} {}
// CHECK: cluster.barrier
cluster.barrier
// CHECK-NEXT: cluster.leader {
cluster.leader {
  "test.op"() : () -> ()
}
// CHECK: cluster.team_index
%index = cluster.team_index
// CHECK-NEXT: cluster.team_size
%size = cluster.team_size
