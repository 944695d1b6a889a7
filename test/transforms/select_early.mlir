// The rows whose logits are wanted are selected before the norm and the head.
// RUN: softex-opt %s -p select-early | filecheck %s

// CHECK: %[[ROWS:.*]] = transformer.embedding %last, %x : tensor<1xi32>, tensor<64x32xbf16> -> tensor<1x32xbf16>
// CHECK-NEXT: %[[NORM:.*]] = transformer.layer_norm %[[ROWS]], %g, %g
// CHECK-NEXT: %[[LOGITS:.*]] = transformer.linear %[[NORM]], %w
// CHECK-NEXT: func.return %[[LOGITS]]
func.func @main(%x : tensor<64x32xbf16>, %g : tensor<32xbf16>, %w : tensor<32x96xbf16>, %last : tensor<1xi32>) -> tensor<1x96xbf16> {
  %n = transformer.layer_norm %x, %g, %g {eps = 1.0e-05 : f64} : tensor<64x32xbf16>, tensor<32xbf16>, tensor<32xbf16> -> tensor<64x32xbf16>
  %y = transformer.linear %n, %w : tensor<64x32xbf16>, tensor<32x96xbf16> -> tensor<64x96xbf16>
  %s = transformer.embedding %last, %y : tensor<1xi32>, tensor<64x96xbf16> -> tensor<1x96xbf16>
  func.return %s : tensor<1x96xbf16>
}
