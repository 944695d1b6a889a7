// Heads split by reshape and transpose from one fused product; scale on q; a NaN guard.
// RUN: softex-opt %s -p fuse-attention,canonicalize-transformer | filecheck %s

// CHECK: func.func @main(%qkv: tensor<1x40x192xbf16>)
// CHECK: %[[Q:.*]] = transformer.slice %{{.*}} {offsets = array<i64: 0, 0>, sizes = array<i64: 40, 64>}
// CHECK: %[[K:.*]] = transformer.slice %{{.*}} {offsets = array<i64: 0, 64>, sizes = array<i64: 40, 64>}
// CHECK: %[[V:.*]] = transformer.slice %{{.*}} {offsets = array<i64: 0, 128>, sizes = array<i64: 40, 64>}
// CHECK: %[[BIAS:.*]] = transformer.get_weight @attention_bias.1x40 : tensor<1x64xbf16>
// CHECK: transformer.attention %[[Q]], %[[K]], %[[V]], %[[BIAS]] {heads = 2 : i64, batch = 1 : i64, scale = 2.500000e-01 : f64}
// CHECK-NOT: transformer.transpose
func.func @main(%qkv : tensor<1x40x192xbf16>) -> tensor<1x40x64xbf16> {
  %scale = transformer.splat {value = 0.25 : f64} : tensor<bf16>
  %h = transformer.reshape %qkv : tensor<1x40x192xbf16> -> tensor<1x40x3x2x32xbf16>
  %t = transformer.transpose %h {permutation = array<i64: 2, 0, 3, 1, 4>} : tensor<1x40x3x2x32xbf16> -> tensor<3x1x2x40x32xbf16>
  %q0 = transformer.slice %t {offsets = array<i64: 0, 0, 0, 0, 0>, sizes = array<i64: 1, 1, 2, 40, 32>} : tensor<3x1x2x40x32xbf16> -> tensor<1x1x2x40x32xbf16>
  %k0 = transformer.slice %t {offsets = array<i64: 1, 0, 0, 0, 0>, sizes = array<i64: 1, 1, 2, 40, 32>} : tensor<3x1x2x40x32xbf16> -> tensor<1x1x2x40x32xbf16>
  %v0 = transformer.slice %t {offsets = array<i64: 2, 0, 0, 0, 0>, sizes = array<i64: 1, 1, 2, 40, 32>} : tensor<3x1x2x40x32xbf16> -> tensor<1x1x2x40x32xbf16>
  %q1 = transformer.reshape %q0 : tensor<1x1x2x40x32xbf16> -> tensor<1x2x40x32xbf16>
  %k1 = transformer.reshape %k0 : tensor<1x1x2x40x32xbf16> -> tensor<1x2x40x32xbf16>
  %v = transformer.reshape %v0 : tensor<1x1x2x40x32xbf16> -> tensor<1x2x40x32xbf16>
  %q = transformer.mul %q1, %scale : tensor<1x2x40x32xbf16>, tensor<bf16> -> tensor<1x2x40x32xbf16>
  %k = transformer.transpose %k1 {permutation = array<i64: 0, 1, 3, 2>} : tensor<1x2x40x32xbf16> -> tensor<1x2x32x40xbf16>
  %s = transformer.matmul %q, %k : tensor<1x2x40x32xbf16>, tensor<1x2x32x40xbf16> -> tensor<1x2x40x40xbf16>
  %p = transformer.softmax %s : tensor<1x2x40x40xbf16> -> tensor<1x2x40x40xbf16>
  %g = transformer.nan_to_zero %p : tensor<1x2x40x40xbf16> -> tensor<1x2x40x40xbf16>
  %o = transformer.matmul %g, %v : tensor<1x2x40x40xbf16>, tensor<1x2x40x32xbf16> -> tensor<1x2x40x32xbf16>
  %m = transformer.transpose %o {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x2x40x32xbf16> -> tensor<1x40x2x32xbf16>
  %y = transformer.reshape %m : tensor<1x40x2x32xbf16> -> tensor<1x40x64xbf16>
  func.return %y : tensor<1x40x64xbf16>
}
