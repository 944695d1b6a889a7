// A mask that differs between heads: added relative to the largest number of its row. Biases that are products are left alone.
// So are sums that something else reads too.
// RUN: softex-opt %s -p lift-masks | filecheck %s

// CHECK: func.func @main(%[[Q:.*]]: tensor<2x4x8xbf16>, %[[K:.*]]: tensor<2x8x4xbf16>, %[[MASK:.*]]: tensor<2x4x4xbf16>)
// CHECK: linalg.generic
// CHECK-SAME: reduction
// CHECK: %[[LIFTED:.*]] = linalg.generic
// CHECK: %[[S:.*]] = transformer.matmul
// CHECK: %[[SUM:.*]] = transformer.add %[[S]], %[[LIFTED]]
// CHECK: transformer.add %[[SUM]], %[[S]]
func.func @main(%q : tensor<2x4x8xbf16>, %k : tensor<2x8x4xbf16>, %m : tensor<2x4x4xbf16>) -> tensor<2x4x4xbf16> {
  %s = transformer.matmul %q, %k : tensor<2x4x8xbf16>, tensor<2x8x4xbf16> -> tensor<2x4x4xbf16>
  %a = transformer.add %s, %m : tensor<2x4x4xbf16>, tensor<2x4x4xbf16> -> tensor<2x4x4xbf16>
  %b = transformer.add %a, %s : tensor<2x4x4xbf16>, tensor<2x4x4xbf16> -> tensor<2x4x4xbf16>
  %p = transformer.softmax %b : tensor<2x4x4xbf16> -> tensor<2x4x4xbf16>
  func.return %p : tensor<2x4x4xbf16>
}

// CHECK: func.func @read(%{{.*}}: tensor<2x4x8xbf16>, %{{.*}}: tensor<2x8x4xbf16>, %[[M:.*]]: tensor<2x4x4xbf16>)
// CHECK-NOT: linalg.generic
// CHECK: transformer.add %{{.*}}, %[[M]]
func.func @read(%q : tensor<2x4x8xbf16>, %k : tensor<2x8x4xbf16>, %m : tensor<2x4x4xbf16>) -> (tensor<2x4x4xbf16>, tensor<2x4x4xbf16>) {
  %s = transformer.matmul %q, %k : tensor<2x4x8xbf16>, tensor<2x8x4xbf16> -> tensor<2x4x4xbf16>
  %a = transformer.add %s, %m : tensor<2x4x4xbf16>, tensor<2x4x4xbf16> -> tensor<2x4x4xbf16>
  %p = transformer.softmax %a : tensor<2x4x4xbf16> -> tensor<2x4x4xbf16>
  func.return %p, %a : tensor<2x4x4xbf16>, tensor<2x4x4xbf16>
}

// Numbers that are added to all keys of a query change no softmax: a product in front of it or not.
// CHECK: func.func @rows(%[[X:.*]]: tensor<4x8xbf16>, %[[B:.*]]: tensor<4x1xbf16>)
// CHECK: %[[LIFTED:.*]] = linalg.generic {{.*}} ins(%[[B]], %{{.*}} : tensor<4x1xbf16>
// CHECK: transformer.add %[[X]], %[[LIFTED]]
func.func @rows(%x : tensor<4x8xbf16>, %b : tensor<4x1xbf16>) -> tensor<4x8xbf16> {
  %a = transformer.add %x, %b : tensor<4x8xbf16>, tensor<4x1xbf16> -> tensor<4x8xbf16>
  %p = transformer.softmax %a : tensor<4x8xbf16> -> tensor<4x8xbf16>
  func.return %p : tensor<4x8xbf16>
}
