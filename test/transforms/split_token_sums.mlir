// Long sums of two activations go by equal parts; short ones stay whole.
// RUN: softex-opt %s -p split-token-sums | filecheck %s
// RUN: softex-opt %s -p split-token-sums,split-token-sums | filecheck %s

// CHECK: transformer.matmul {{.*}}sum_chunk = 64 : i64{{.*}} tensor<8x1024xbf16>
// CHECK: transformer.matmul {{.*}}sum_chunk = 32 : i64{{.*}} tensor<8x900xbf16>
// CHECK-NOT: sum_chunk
func.func @main(%x : tensor<8x1024xbf16>, %y : tensor<1024x64xbf16>, %u : tensor<8x900xbf16>, %v : tensor<900x64xbf16>, %s : tensor<8x128xbf16>, %t : tensor<128x64xbf16>) -> (tensor<8x64xbf16>, tensor<8x64xbf16>, tensor<8x64xbf16>) {
  %a = transformer.matmul %x, %y : tensor<8x1024xbf16>, tensor<1024x64xbf16> -> tensor<8x64xbf16>
  %b = transformer.matmul %u, %v : tensor<8x900xbf16>, tensor<900x64xbf16> -> tensor<8x64xbf16>
  %c = transformer.matmul %s, %t : tensor<8x128xbf16>, tensor<128x64xbf16> -> tensor<8x64xbf16>
  func.return %a, %b, %c : tensor<8x64xbf16>, tensor<8x64xbf16>, tensor<8x64xbf16>
}
