// The tanh form of GELU, with the cube as a power, as GPT-2 exports it.
// RUN: softex-opt %s -p canonicalize-transformer,fuse-gelu,dce | filecheck %s

// CHECK: func.func @main(%x: tensor<8x64xbf16>)
// CHECK-NEXT: transformer.gelu_tanh %x : tensor<8x64xbf16> -> tensor<8x64xbf16>
// CHECK-NEXT: func.return
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %three = transformer.splat {value = 3.0 : f64} : tensor<bf16>
  %one = transformer.splat {value = 1.0 : f64} : tensor<bf16>
  %half = transformer.splat {value = 0.5 : f64} : tensor<bf16>
  %cubic = transformer.splat {value = 0.044715 : f64} : tensor<bf16>
  %root = transformer.splat {value = 0.7978845 : f64} : tensor<bf16>
  %h = transformer.mul %x, %half : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %a = transformer.pow %x, %three : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %b = transformer.mul %a, %cubic : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %c = transformer.add %x, %b : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %d = transformer.mul %c, %root : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %e = transformer.tanh %d : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %f = transformer.add %e, %one : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %g = transformer.mul %h, %f : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %g : tensor<8x64xbf16>
}
