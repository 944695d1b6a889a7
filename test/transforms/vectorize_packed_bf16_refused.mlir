// Loops stay scalar where pairs would be misaligned or would read what they have just written.
// RUN: softex-opt %s -p vectorize-packed-bf16 | filecheck %s

// CHECK-LABEL: func.func @odd_pitch
func.func @odd_pitch(%x : memref<4x21xbf16, #cluster.tcdm>, %r : index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  scf.for %j = %c0 to %c20 step %c1 {
    %a = memref.load %x[%r, %j] : memref<4x21xbf16, #cluster.tcdm>
    memref.store %a, %x[%r, %j] : memref<4x21xbf16, #cluster.tcdm>
  }
  func.return
}

// CHECK-NOT: vector
// CHECK-LABEL: func.func @shifted
func.func @shifted(%x : memref<32xbf16, #cluster.tcdm>, %column : index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c20 = arith.constant 20 : index
  %start = arith.muli %column, %c2 : index
  scf.for %j = %c0 to %c20 step %c1 {
    %a = memref.load %x[%j] : memref<32xbf16, #cluster.tcdm>
    %to = arith.addi %start, %j : index
    memref.store %a, %x[%to] : memref<32xbf16, #cluster.tcdm>
  }
  func.return
}

// CHECK-NOT: vector
// CHECK-LABEL: func.func @overlapping
func.func @overlapping(%x : memref<64xbf16, #cluster.tcdm>, %head : index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c18 = arith.constant 18 : index
  %c20 = arith.constant 20 : index
  %start = arith.muli %head, %c2 : index
  %behind = arith.addi %start, %c18 : index
  scf.for %j = %c0 to %c20 step %c1 {
    %from = arith.addi %start, %j : index
    %a = memref.load %x[%from] : memref<64xbf16, #cluster.tcdm>
    %to = arith.addi %behind, %j : index
    memref.store %a, %x[%to] : memref<64xbf16, #cluster.tcdm>
  }
  func.return
}

// CHECK-NOT: vector
// CHECK-LABEL: func.func @unknown_start
func.func @unknown_start(%x : memref<32xbf16, #cluster.tcdm>, %start : index, %v : bf16) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  scf.for %j = %c0 to %c20 step %c1 {
    %to = arith.addi %start, %j : index
    memref.store %v, %x[%to] : memref<32xbf16, #cluster.tcdm>
  }
  func.return
}
// CHECK-NOT: vector
