// Heads of keys and values that several heads of queries read one behind the other are not repeated.
// RUN: softex-opt %s -p fuse-attention,canonicalize-transformer --split-input-file | filecheck %s

// CHECK-LABEL: func.func @main(%q: tensor<1x40x128xbf16>
// CHECK: transformer.attention %{{.*}}, %{{.*}}, %{{.*}} {heads = 4 : i64, key_heads = 2 : i64, batch = 1 : i64{{.*}}} : tensor<40x128xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>
// CHECK-NOT: transformer.concat
func.func @main(%q : tensor<1x40x128xbf16>, %kv : tensor<1x40x64xbf16>) -> tensor<1x4x40x32xbf16> {
  %q0 = transformer.reshape %q : tensor<1x40x128xbf16> -> tensor<1x40x4x32xbf16>
  %q1 = transformer.transpose %q0 {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x40x4x32xbf16> -> tensor<1x4x40x32xbf16>
  %k0 = transformer.reshape %kv : tensor<1x40x64xbf16> -> tensor<1x40x2x32xbf16>
  %k1 = transformer.transpose %k0 {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x40x2x32xbf16> -> tensor<1x2x40x32xbf16>
  %k2 = transformer.reshape %k1 : tensor<1x2x40x32xbf16> -> tensor<1x2x1x40x32xbf16>
  %k3 = transformer.expand %k2 : tensor<1x2x1x40x32xbf16> -> tensor<1x2x2x40x32xbf16>
  %k4 = transformer.reshape %k3 : tensor<1x2x2x40x32xbf16> -> tensor<1x4x40x32xbf16>
  %k = transformer.transpose %k4 {permutation = array<i64: 0, 1, 3, 2>} : tensor<1x4x40x32xbf16> -> tensor<1x4x32x40xbf16>
  %s = transformer.matmul %q1, %k : tensor<1x4x40x32xbf16>, tensor<1x4x32x40xbf16> -> tensor<1x4x40x40xbf16>
  %p = transformer.softmax %s : tensor<1x4x40x40xbf16> -> tensor<1x4x40x40xbf16>
  %o = transformer.matmul %p, %k4 : tensor<1x4x40x40xbf16>, tensor<1x4x40x32xbf16> -> tensor<1x4x40x32xbf16>
  func.return %o : tensor<1x4x40x32xbf16>
}

// -----

// Heads by turns are no groups.
// CHECK-LABEL: func.func @main(%q: tensor<1x40x128xbf16>
// CHECK: transformer.concat
// CHECK: transformer.attention %{{.*}}, %{{.*}}, %{{.*}} {heads = 4 : i64, batch = 1 : i64{{.*}}} : tensor<40x128xbf16>, tensor<40x128xbf16>, tensor<40x128xbf16>
func.func @main(%q : tensor<1x40x128xbf16>, %kv : tensor<1x40x64xbf16>) -> tensor<1x4x40x32xbf16> {
  %q0 = transformer.reshape %q : tensor<1x40x128xbf16> -> tensor<1x40x4x32xbf16>
  %q1 = transformer.transpose %q0 {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x40x4x32xbf16> -> tensor<1x4x40x32xbf16>
  %k0 = transformer.reshape %kv : tensor<1x40x64xbf16> -> tensor<1x40x2x32xbf16>
  %k1 = transformer.transpose %k0 {permutation = array<i64: 0, 2, 1, 3>} : tensor<1x40x2x32xbf16> -> tensor<1x2x40x32xbf16>
  %k2 = transformer.reshape %k1 : tensor<1x2x40x32xbf16> -> tensor<1x1x2x40x32xbf16>
  %k3 = transformer.expand %k2 : tensor<1x1x2x40x32xbf16> -> tensor<1x2x2x40x32xbf16>
  %k4 = transformer.reshape %k3 : tensor<1x2x2x40x32xbf16> -> tensor<1x4x40x32xbf16>
  %k = transformer.transpose %k4 {permutation = array<i64: 0, 1, 3, 2>} : tensor<1x4x40x32xbf16> -> tensor<1x4x32x40xbf16>
  %s = transformer.matmul %q1, %k : tensor<1x4x40x32xbf16>, tensor<1x4x32x40xbf16> -> tensor<1x4x40x40xbf16>
  %p = transformer.softmax %s : tensor<1x4x40x40xbf16> -> tensor<1x4x40x40xbf16>
  %o = transformer.matmul %p, %k4 : tensor<1x4x40x40xbf16>, tensor<1x4x40x32xbf16> -> tensor<1x4x40x32xbf16>
  func.return %o : tensor<1x4x40x32xbf16>
}
