// All operations without an implementation are reported at once, with their layer.
// RUN: not softex-opt %s -p finalize-transformer 2>&1 | filecheck %s

// CHECK: 2 kinds of operation cannot be compiled:
// CHECK-NEXT: erf has no implementation on the cluster: 2x, first at a
// CHECK-NEXT: sqrt has no implementation on the cluster: 1x, first at b
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %a = transformer.erf %x {layer = "a"} : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %b = transformer.sqrt %a {layer = "b"} : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %c = transformer.erf %b {layer = "c"} : tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %c : tensor<8x64xbf16>
}
