// Rows multiplied and added around a linear layer go into its weights; other users forbid it.
// RUN: softex-opt %s -p fold-affine,dce | filecheck %s

// CHECK: func.func @both(%x: tensor<8x64xbf16>)
// CHECK-NOT: transformer.mul
// CHECK: %[[W:.*]] = transformer.get_weight @constant.scaled{{.*}} : tensor<64x32xbf16>
// CHECK: transformer.linear %x, %[[W]] bias %{{.*}} : tensor<32xbf16>
// CHECK-NOT: transformer.add
func.func @both(%x : tensor<8x64xbf16>) -> tensor<8x32xbf16> {
  %before = transformer.splat {value = 2.0 : f64} : tensor<64xbf16>
  %behind = transformer.splat {value = 3.0 : f64} : tensor<32xbf16>
  %w = transformer.splat {value = 0.5 : f64} : tensor<64x32xbf16>
  %xs = transformer.mul %x, %before : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %y = transformer.linear %xs, %w : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  %m = transformer.mul %y, %behind : tensor<8x32xbf16>, tensor<32xbf16> -> tensor<8x32xbf16>
  %a = transformer.add %m, %behind : tensor<8x32xbf16>, tensor<32xbf16> -> tensor<8x32xbf16>
  func.return %a : tensor<8x32xbf16>
}

// CHECK: func.func @columns(%x: tensor<8x64xbf16>)
// CHECK: %[[Y:.*]] = transformer.linear %x, %{{.*}} bias %{{.*}} : tensor<32xbf16>
// CHECK: %[[L:.*]] = transformer.slice %[[Y]] {offsets = array<i64: 0, 0>
// CHECK: %[[R:.*]] = transformer.slice %[[Y]] {offsets = array<i64: 0, 16>
// CHECK: func.return %[[L]], %[[R]]
func.func @columns(%x : tensor<8x64xbf16>) -> (tensor<8x16xbf16>, tensor<8x16xbf16>) {
  %row = transformer.splat {value = 3.0 : f64} : tensor<16xbf16>
  %w = transformer.splat {value = 0.5 : f64} : tensor<64x32xbf16>
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  %l = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 16>} : tensor<8x32xbf16> -> tensor<8x16xbf16>
  %r = transformer.slice %y {offsets = array<i64: 0, 16>, sizes = array<i64: 8, 16>} : tensor<8x32xbf16> -> tensor<8x16xbf16>
  %a = transformer.add %l, %row : tensor<8x16xbf16>, tensor<16xbf16> -> tensor<8x16xbf16>
  %b = transformer.mul %r, %row : tensor<8x16xbf16>, tensor<16xbf16> -> tensor<8x16xbf16>
  func.return %a, %b : tensor<8x16xbf16>, tensor<8x16xbf16>
}

// CHECK: func.func @shared
// CHECK: transformer.mul
func.func @shared(%x : tensor<8x64xbf16>) -> (tensor<8x32xbf16>, tensor<8x32xbf16>) {
  %row = transformer.splat {value = 3.0 : f64} : tensor<32xbf16>
  %w = transformer.splat {value = 0.5 : f64} : tensor<64x32xbf16>
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  %m = transformer.mul %y, %row : tensor<8x32xbf16>, tensor<32xbf16> -> tensor<8x32xbf16>
  func.return %y, %m : tensor<8x32xbf16>, tensor<8x32xbf16>
}

// Two constants are one, unless they are so large that the order matters.
// CHECK: func.func @sums(%x: tensor<8x64xbf16>, %ids: tensor<8x64xbf16>)
// CHECK: %[[SUM:.*]] = transformer.get_weight @constant.sum
// CHECK: transformer.add %x, %[[SUM]]
// CHECK: %[[MASKED:.*]] = transformer.add %ids, %{{.*}}
// CHECK: transformer.add %[[MASKED]], %{{.*}}
func.func @sums(%x : tensor<8x64xbf16>, %ids : tensor<8x64xbf16>) -> (tensor<8x64xbf16>, tensor<8x64xbf16>) {
  %position = transformer.splat {value = 2.0 : f64} : tensor<8x64xbf16>
  %type = transformer.splat {value = 3.0 : f64} : tensor<64xbf16>
  %mask = transformer.splat {value = -3.0e38 : f64} : tensor<64xbf16>
  %a = transformer.add %x, %type : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %b = transformer.add %a, %position : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %c = transformer.add %ids, %mask : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %d = transformer.add %c, %position : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %b, %d : tensor<8x64xbf16>, tensor<8x64xbf16>
}
