// The erf form of GELU is recognised with 0.5 anywhere in the product.
// RUN: softex-opt %s -p canonicalize-transformer,fuse-gelu,dce | filecheck %s

// CHECK: func.func @main(%x: tensor<8x64xbf16>)
// CHECK-NEXT: transformer.gelu %x : tensor<8x64xbf16> -> tensor<8x64xbf16>
// CHECK-NEXT: func.return
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %root = transformer.splat {value = 1.41421356 : f64} : tensor<bf16>
  %one = transformer.splat {value = 1.0 : f64} : tensor<bf16>
  %half = transformer.splat {value = 0.5 : f64} : tensor<bf16>
  %a = transformer.div %x, %root : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %b = transformer.erf %a : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %c = transformer.add %b, %one : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %d = transformer.mul %x, %c : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %e = transformer.mul %d, %half : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  func.return %e : tensor<8x64xbf16>
}

// Another factor than 1/sqrt(2) is no GELU.
// CHECK: func.func @other
// CHECK-NOT: transformer.gelu
func.func @other(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %root = transformer.splat {value = 1.5 : f64} : tensor<bf16>
  %one = transformer.splat {value = 1.0 : f64} : tensor<bf16>
  %half = transformer.splat {value = 0.5 : f64} : tensor<bf16>
  %a = transformer.div %x, %root : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %b = transformer.erf %a : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %c = transformer.add %b, %one : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %d = transformer.mul %x, %c : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %e = transformer.mul %d, %half : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  func.return %e : tensor<8x64xbf16>
}
