// f32 arithmetic stays scalar, its results are packed; loop-invariant BF16 values are broadcast.
// RUN: softex-opt %s -p 'vectorize-packed-bf16{unroll=1}' | filecheck %s

// CHECK-LABEL: func.func @normalise
func.func @normalise(%x : memref<8xbf16, #cluster.tcdm>, %inv : f32, %gamma : bf16) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // CHECK: %[[G:.*]] = vector.broadcast %gamma : bf16 to vector<2xbf16>
  // CHECK: scf.for %[[J:.*]] =
  // CHECK-NEXT: %[[X0:.*]] = memref.load %x[%[[J]]]
  // CHECK-NEXT: %[[J1:.*]] = arith.addi %[[J]], %{{.*}} : index
  // CHECK-NEXT: %[[X1:.*]] = memref.load %x[%[[J1]]]
  // CHECK-NEXT: %[[W0:.*]] = arith.extf %[[X0]] : bf16 to f32
  // CHECK-NEXT: %[[W1:.*]] = arith.extf %[[X1]] : bf16 to f32
  // CHECK-NEXT: %[[T0:.*]] = arith.mulf %[[W0]], %inv : f32
  // CHECK-NEXT: %[[T1:.*]] = arith.mulf %[[W1]], %inv : f32
  // CHECK-NEXT: %[[N0:.*]] = arith.truncf %[[T0]] : f32 to bf16
  // CHECK-NEXT: %[[N1:.*]] = arith.truncf %[[T1]] : f32 to bf16
  // CHECK-NEXT: %[[L:.*]] = vector.broadcast %[[N0]] : bf16 to vector<2xbf16>
  // CHECK-NEXT: %[[P:.*]] = vector.insert %[[N1]], %[[L]] [1]
  // CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[P]], %[[G]] : vector<2xbf16>
  // CHECK-NEXT: vector.store %[[Y]], %x[%[[J]]]
  scf.for %j = %c0 to %c8 step %c1 {
    %a = memref.load %x[%j] : memref<8xbf16, #cluster.tcdm>
    %w = arith.extf %a : bf16 to f32
    %t = arith.mulf %w, %inv : f32
    %n = arith.truncf %t : f32 to bf16
    %y = arith.mulf %n, %gamma : bf16
    memref.store %y, %x[%j] : memref<8xbf16, #cluster.tcdm>
  }
  func.return
}
