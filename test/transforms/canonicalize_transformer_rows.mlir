// Work on transposed tensors is moved to where nothing needs to be transposed.
// RUN: softex-opt %s -p canonicalize-transformer | filecheck %s

// CHECK: func.func @restored(%x: tensor<2x5x32xbf16>)
// CHECK: %[[Y:.*]] = transformer.matmul %x, %{{.*}} : tensor<2x5x32xbf16>, tensor<32x64xbf16> -> tensor<2x5x64xbf16>
// CHECK-NEXT: %[[G:.*]] = transformer.gelu %[[Y]]
// CHECK-NEXT: func.return %[[G]]
func.func @restored(%x : tensor<2x5x32xbf16>) -> tensor<2x5x64xbf16> {
  %w = transformer.splat {value = 0.5 : f64} : tensor<32x64xbf16>
  %t = transformer.transpose %x {permutation = array<i64: 1, 0, 2>} : tensor<2x5x32xbf16> -> tensor<5x2x32xbf16>
  %f = transformer.reshape %t : tensor<5x2x32xbf16> -> tensor<10x32xbf16>
  %y = transformer.matmul %f, %w : tensor<10x32xbf16>, tensor<32x64xbf16> -> tensor<10x64xbf16>
  %g = transformer.gelu %y : tensor<10x64xbf16> -> tensor<10x64xbf16>
  %s = transformer.reshape %g : tensor<10x64xbf16> -> tensor<5x2x64xbf16>
  %b = transformer.transpose %s {permutation = array<i64: 1, 0, 2>} : tensor<5x2x64xbf16> -> tensor<2x5x64xbf16>
  func.return %b : tensor<2x5x64xbf16>
}

// CHECK: func.func @sunk(%x: tensor<8x32xbf16>)
// CHECK-NEXT: %[[R:.*]] = transformer.relu %x
// CHECK-NEXT: func.return %[[R]]
func.func @sunk(%x : tensor<8x32xbf16>) -> tensor<8x32xbf16> {
  %t = transformer.transpose %x {permutation = array<i64: 1, 0>} : tensor<8x32xbf16> -> tensor<32x8xbf16>
  %r = transformer.relu %t : tensor<32x8xbf16> -> tensor<32x8xbf16>
  %b = transformer.transpose %r {permutation = array<i64: 1, 0>} : tensor<32x8xbf16> -> tensor<8x32xbf16>
  func.return %b : tensor<8x32xbf16>
}

// CHECK: func.func @power(%x: tensor<8x32xbf16>)
// CHECK-NEXT: %[[S:.*]] = transformer.mul %x, %x
// CHECK-NEXT: %[[C:.*]] = transformer.mul %[[S]], %x
// CHECK-NEXT: func.return %[[C]]
func.func @power(%x : tensor<8x32xbf16>) -> tensor<8x32xbf16> {
  %three = transformer.splat {value = 3.0 : f64} : tensor<bf16>
  %c = transformer.pow %x, %three : tensor<8x32xbf16>, tensor<bf16> -> tensor<8x32xbf16>
  func.return %c : tensor<8x32xbf16>
}
