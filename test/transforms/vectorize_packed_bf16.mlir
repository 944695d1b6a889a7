// Elementwise BF16 loops work on groups of four pairs, then the other pairs, then an odd element.
// RUN: softex-opt %s -p 'vectorize-packed-bf16{unroll=4}' | filecheck %s

// CHECK-LABEL: func.func @add
func.func @add(%x : memref<4x22xbf16, #cluster.tcdm>, %r : index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c21 = arith.constant 21 : index
  // CHECK: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
  // CHECK-NEXT: %[[A:.*]] = vector.load %x[%r, %[[J]]] : memref<4x22xbf16, #cluster.tcdm>, vector<2xbf16>
  // CHECK-COUNT-3: vector.load
  // CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[A]] : vector<2xbf16>
  // CHECK-COUNT-3: arith.addf
  // CHECK-NEXT: vector.store %[[S]], %x[%r, %[[J]]]
  // CHECK-COUNT-3: vector.store
  // CHECK-NEXT: }
  // CHECK: %[[P16:.*]] = arith.constant 16 : index
  // CHECK-NEXT: vector.load %x[%r, %[[P16]]]
  // CHECK: %[[P18:.*]] = arith.constant 18 : index
  // CHECK-NEXT: vector.load %x[%r, %[[P18]]]
  // CHECK: %[[P20:.*]] = arith.constant 20 : index
  // CHECK-NEXT: memref.load %x[%r, %[[P20]]]
  // CHECK-NEXT: arith.addf %{{.*}}, %{{.*}} : bf16
  // CHECK-NEXT: memref.store
  scf.for %j = %c0 to %c21 step %c1 {
    %a = memref.load %x[%r, %j] : memref<4x22xbf16, #cluster.tcdm>
    %b = arith.addf %a, %a : bf16
    memref.store %b, %x[%r, %j] : memref<4x22xbf16, #cluster.tcdm>
  }
  func.return
}

// Halves of a row that do not overlap may be read and written by turns.
// CHECK-LABEL: func.func @halves
func.func @halves(%x : memref<64xbf16, #cluster.tcdm>, %head : index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %start = arith.muli %head, %c2 : index
  %behind = arith.addi %start, %c8 : index
  // CHECK-NOT: memref.load
  // CHECK-COUNT-4: vector.load
  // CHECK-COUNT-4: vector.store
  scf.for %j = %c0 to %c8 step %c1 {
    %from = arith.addi %start, %j : index
    %a = memref.load %x[%from] : memref<64xbf16, #cluster.tcdm>
    %to = arith.addi %behind, %j : index
    memref.store %a, %x[%to] : memref<64xbf16, #cluster.tcdm>
  }
  func.return
}
