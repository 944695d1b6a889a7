// Views that cancel go, a transpose of heads that only swaps two blocks becomes one of 3 dimensions.
// RUN: softex-opt %s -p canonicalize-transformer | filecheck %s

// CHECK: func.func @cancel(%x: tensor<8x64xbf16>)
// CHECK-NEXT: func.return %x
func.func @cancel(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %a = transformer.reshape %x : tensor<8x64xbf16> -> tensor<1x8x2x32xbf16>
  %b = transformer.transpose %a {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x8x2x32xbf16> -> tensor<1x2x8x32xbf16>
  %c = transformer.transpose %b {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x2x8x32xbf16> -> tensor<1x8x2x32xbf16>
  %d = transformer.reshape %c : tensor<1x8x2x32xbf16> -> tensor<8x64xbf16>
  func.return %d : tensor<8x64xbf16>
}

// CHECK: func.func @swap(%x: tensor<8x64xbf16>)
// CHECK-NEXT: %[[A:.*]] = transformer.reshape %x : tensor<8x64xbf16> -> tensor<8x2x32xbf16>
// CHECK-NEXT: %[[B:.*]] = transformer.transpose %[[A]] {permutation = array<i64: 1, 0, 2>} : tensor<8x2x32xbf16> -> tensor<2x8x32xbf16>
// CHECK-NEXT: transformer.reshape %[[B]] : tensor<2x8x32xbf16> -> tensor<1x2x8x32xbf16>
func.func @swap(%x : tensor<8x64xbf16>) -> tensor<1x2x8x32xbf16> {
  %a = transformer.reshape %x : tensor<8x64xbf16> -> tensor<1x8x2x32xbf16>
  %b = transformer.transpose %a {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x8x2x32xbf16> -> tensor<1x2x8x32xbf16>
  func.return %b : tensor<1x2x8x32xbf16>
}

// CHECK: func.func @neutral(%x: tensor<8x64xbf16>)
// CHECK-NEXT: func.return %x
func.func @neutral(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %one = transformer.splat {value = 1.0 : f64} : tensor<bf16>
  %zero = transformer.splat {value = 0.0 : f64} : tensor<bf16>
  %a = transformer.mul %x, %one : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %b = transformer.add %a, %zero : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  func.return %b : tensor<8x64xbf16>
}
