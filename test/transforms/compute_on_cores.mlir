// Layers by name: products whose sums are in f32, functions that the cores compute beside RedMulE.
// RUN: softex-opt %s -p 'compute-on-cores{sums="\"first\"\n" functions="\"second\"\n\"third\"\n"},place' | filecheck %s
// RUN: not softex-opt %s -p 'compute-on-cores{sums="\"fourth\"\n"}' 2>&1 | filecheck %s --check-prefix=NAME

// CHECK-NOT: transformer.cores
// CHECK: transformer.linear {{.*}}layer = "first", wide, unit = "cores"
// CHECK: transformer.linear {{.*}}layer = "second", software, unit = "redmule+cores"
// CHECK: transformer.linear {{.*}}layer = "third", unit = "redmule+cores"
// CHECK-NOT: software
// NAME: sums of layer 'fourth': no linear layer or attention has this name
func.func @main(%x : tensor<64x64xbf16>, %w : tensor<64x64xbf16>) -> tensor<64x64xbf16> {
  %a = transformer.linear %x, %w {activation = "gelu", layer = "first"} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xbf16>
  %b = transformer.linear %a, %w {activation = "gelu", layer = "second"} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xbf16>
  %c = transformer.linear %b, %w {activation = "relu", layer = "third"} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xbf16>
  func.return %c : tensor<64x64xbf16>
}
