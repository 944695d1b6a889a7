// Every operation says where it executes; without accelerators everything is on the cores.
// RUN: softex-opt %s -p place | filecheck %s

// CHECK: transformer.linear %x, %w {activation = "gelu", unit = "redmule+softex+cores"}
// CHECK: transformer.softmax %{{.*}} {unit = "softex"}
// CHECK: transformer.layer_norm {{.*}} unit = "cores"}
// CHECK: transformer.slice {{.*}} unit = "none"}
func.func @main(%x : tensor<8x64xbf16>, %w : tensor<64x64xbf16>, %g : tensor<64xbf16>) {
  %y = transformer.linear %x, %w {activation = "gelu"} : tensor<8x64xbf16>, tensor<64x64xbf16> -> tensor<8x64xbf16>
  %p = transformer.softmax %y : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %n = transformer.layer_norm %p, %g, %g {eps = 1.0e-05 : f64} : tensor<8x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %s = transformer.slice %n {offsets = array<i64: 0, 0>, sizes = array<i64: 1, 64>} : tensor<8x64xbf16> -> tensor<1x64xbf16>
  func.return
}
