// Rotary positions, as exporters write them: a product with halves in the other order, or by halves.
// RUN: softex-opt %s -p fuse-rotary,canonicalize-transformer --split-input-file | filecheck %s

// CHECK-LABEL: func.func @main(%x: tensor<2x5x64xbf16>, %c: tensor<5x32xbf16>, %s: tensor<5x32xbf16>)
// CHECK: %[[T:.*]] = transformer.concat %{{.*}} {axis = 1 : i64} : tensor<10x16xbf16>, tensor<10x16xbf16>, tensor<10x16xbf16>, tensor<10x16xbf16> -> tensor<10x64xbf16>
// CHECK: %[[X:.*]] = transformer.reshape %x : tensor<2x5x64xbf16> -> tensor<10x64xbf16>
// CHECK: %[[R:.*]] = transformer.rotary %[[X]], %[[T]] : tensor<10x64xbf16>, tensor<10x64xbf16> -> tensor<10x64xbf16>
// CHECK: %[[S:.*]] = transformer.reshape %[[R]] : tensor<10x64xbf16> -> tensor<2x5x2x32xbf16>
// CHECK: transformer.transpose %[[S]] {permutation = array<i64: 0, 2, 1, 3>}
// CHECK-NOT: transformer.add
func.func @main(%x : tensor<2x5x64xbf16>, %c : tensor<5x32xbf16>, %s : tensor<5x32xbf16>) -> tensor<2x2x5x32xbf16> {
  %0 = transformer.reshape %x : tensor<2x5x64xbf16> -> tensor<2x5x2x32xbf16>
  %h = transformer.transpose %0 {permutation = array<i64: 0, 2, 1, 3>} : tensor<2x5x2x32xbf16> -> tensor<2x2x5x32xbf16>
  %a = transformer.slice %h {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 2, 2, 5, 16>} : tensor<2x2x5x32xbf16> -> tensor<2x2x5x16xbf16>
  %b = transformer.slice %h {offsets = array<i64: 0, 0, 0, 16>, sizes = array<i64: 2, 2, 5, 16>} : tensor<2x2x5x32xbf16> -> tensor<2x2x5x16xbf16>
  %minus = transformer.splat {value = -1.0 : f64} : tensor<bf16>
  %n = transformer.mul %b, %minus : tensor<2x2x5x16xbf16>, tensor<bf16> -> tensor<2x2x5x16xbf16>
  %w = transformer.concat %n, %a {axis = 3 : i64} : tensor<2x2x5x16xbf16>, tensor<2x2x5x16xbf16> -> tensor<2x2x5x32xbf16>
  %p = transformer.mul %h, %c : tensor<2x2x5x32xbf16>, tensor<5x32xbf16> -> tensor<2x2x5x32xbf16>
  %q = transformer.mul %w, %s : tensor<2x2x5x32xbf16>, tensor<5x32xbf16> -> tensor<2x2x5x32xbf16>
  %y = transformer.add %p, %q : tensor<2x2x5x32xbf16>, tensor<2x2x5x32xbf16> -> tensor<2x2x5x32xbf16>
  func.return %y : tensor<2x2x5x32xbf16>
}

// -----

// CHECK-LABEL: func.func @main(%x: tensor<1x2x5x32xbf16>
// CHECK: transformer.rotary %{{.*}}, %{{.*}} : tensor<10x32xbf16>, tensor<10x64xbf16> -> tensor<10x32xbf16>
// CHECK-NOT: transformer.add
func.func @main(%x : tensor<1x2x5x32xbf16>, %c : tensor<5x16xbf16>, %s : tensor<5x16xbf16>) -> tensor<1x2x5x32xbf16> {
  %a = transformer.slice %x {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 2, 5, 16>} : tensor<1x2x5x32xbf16> -> tensor<1x2x5x16xbf16>
  %b = transformer.slice %x {offsets = array<i64: 0, 0, 0, 16>, sizes = array<i64: 1, 2, 5, 16>} : tensor<1x2x5x32xbf16> -> tensor<1x2x5x16xbf16>
  %ac = transformer.mul %a, %c : tensor<1x2x5x16xbf16>, tensor<5x16xbf16> -> tensor<1x2x5x16xbf16>
  %bs = transformer.mul %b, %s : tensor<1x2x5x16xbf16>, tensor<5x16xbf16> -> tensor<1x2x5x16xbf16>
  %one = transformer.sub %ac, %bs : tensor<1x2x5x16xbf16>, tensor<1x2x5x16xbf16> -> tensor<1x2x5x16xbf16>
  %as = transformer.mul %a, %s : tensor<1x2x5x16xbf16>, tensor<5x16xbf16> -> tensor<1x2x5x16xbf16>
  %bc = transformer.mul %b, %c : tensor<1x2x5x16xbf16>, tensor<5x16xbf16> -> tensor<1x2x5x16xbf16>
  %two = transformer.add %as, %bc : tensor<1x2x5x16xbf16>, tensor<1x2x5x16xbf16> -> tensor<1x2x5x16xbf16>
  %y = transformer.concat %one, %two {axis = 3 : i64} : tensor<1x2x5x16xbf16>, tensor<1x2x5x16xbf16> -> tensor<1x2x5x32xbf16>
  func.return %y : tensor<1x2x5x32xbf16>
}

// -----

// The halves are in their own order: no rotation.
// CHECK-LABEL: func.func @main(%x: tensor<5x32xbf16>
// CHECK-NOT: transformer.rotary
func.func @main(%x : tensor<5x32xbf16>, %c : tensor<5x32xbf16>, %s : tensor<5x32xbf16>) -> tensor<5x32xbf16> {
  %a = transformer.slice %x {offsets = array<i64: 0, 0>, sizes = array<i64: 5, 16>} : tensor<5x32xbf16> -> tensor<5x16xbf16>
  %b = transformer.slice %x {offsets = array<i64: 0, 16>, sizes = array<i64: 5, 16>} : tensor<5x32xbf16> -> tensor<5x16xbf16>
  %w = transformer.concat %a, %b {axis = 1 : i64} : tensor<5x16xbf16>, tensor<5x16xbf16> -> tensor<5x32xbf16>
  %p = transformer.mul %x, %c : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  %q = transformer.mul %w, %s : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  %y = transformer.add %p, %q : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  func.return %y : tensor<5x32xbf16>
}

// -----

// Every head has angles of its own.
// CHECK-LABEL: func.func @main(%x: tensor<5x64xbf16>
// CHECK-NOT: transformer.rotary
func.func @main(%x : tensor<5x64xbf16>, %c : tensor<2x5x32xbf16>, %s : tensor<2x5x32xbf16>) -> tensor<2x5x32xbf16> {
  %0 = transformer.reshape %x : tensor<5x64xbf16> -> tensor<5x2x32xbf16>
  %h = transformer.transpose %0 {permutation = array<i64: 1, 0, 2>} : tensor<5x2x32xbf16> -> tensor<2x5x32xbf16>
  %a = transformer.slice %h {offsets = array<i64: 0, 0, 0>, sizes = array<i64: 2, 5, 16>} : tensor<2x5x32xbf16> -> tensor<2x5x16xbf16>
  %b = transformer.slice %h {offsets = array<i64: 0, 0, 16>, sizes = array<i64: 2, 5, 16>} : tensor<2x5x32xbf16> -> tensor<2x5x16xbf16>
  %w = transformer.concat %b, %a {axis = 2 : i64} : tensor<2x5x16xbf16>, tensor<2x5x16xbf16> -> tensor<2x5x32xbf16>
  %p = transformer.mul %h, %c : tensor<2x5x32xbf16>, tensor<2x5x32xbf16> -> tensor<2x5x32xbf16>
  %q = transformer.mul %w, %s : tensor<2x5x32xbf16>, tensor<2x5x32xbf16> -> tensor<2x5x32xbf16>
  %y = transformer.add %p, %q : tensor<2x5x32xbf16>, tensor<2x5x32xbf16> -> tensor<2x5x32xbf16>
  func.return %y : tensor<2x5x32xbf16>
}

// -----

// The product of something else than what the halves are of.
// CHECK-LABEL: func.func @main(%x: tensor<5x32xbf16>, %z: tensor<5x32xbf16>
// CHECK-NOT: transformer.rotary
func.func @main(%x : tensor<5x32xbf16>, %z : tensor<5x32xbf16>, %c : tensor<5x32xbf16>) -> tensor<5x32xbf16> {
  %a = transformer.slice %x {offsets = array<i64: 0, 0>, sizes = array<i64: 5, 16>} : tensor<5x32xbf16> -> tensor<5x16xbf16>
  %b = transformer.slice %x {offsets = array<i64: 0, 16>, sizes = array<i64: 5, 16>} : tensor<5x32xbf16> -> tensor<5x16xbf16>
  %w = transformer.concat %b, %a {axis = 1 : i64} : tensor<5x16xbf16>, tensor<5x16xbf16> -> tensor<5x32xbf16>
  %p = transformer.mul %z, %c : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  %q = transformer.mul %w, %c : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  %y = transformer.add %p, %q : tensor<5x32xbf16>, tensor<5x32xbf16> -> tensor<5x32xbf16>
  func.return %y : tensor<5x32xbf16>
}
