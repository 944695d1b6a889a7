// A linear layer becomes one kernel of four streams and one launch; its weight lies in job order.
// RUN: softex-opt %s -p 'convert-transformer-to-jobs{machine=paper}' | filecheck %s

transformer.weight @w : tensor<64x64xbf16>
transformer.weight @b : tensor<64xbf16>
func.func @main(%x: tensor<24x64xbf16>) -> tensor<24x64xbf16> {
  %w = transformer.get_weight @w : tensor<64x64xbf16>
  %b = transformer.get_weight @b : tensor<64xbf16>
  %y = transformer.linear %x, %w bias %b : tensor<64xbf16> {activation = "gelu", layer = "fc"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
  func.return %y : tensor<24x64xbf16>
}

// CHECK:       cluster.global input @input.input_0 tensor "input_0" shape [24, 64] : memref<24x64xbf16, #cluster.l2>
// CHECK-DAG:   cluster.global weight @w.tiles_{{[0-9]+x[0-9]+}} tensor "w" shape [64, 64] tiles [{{[0-9]+, [0-9]+}}]
// CHECK-DAG:   cluster.global output @output.output_0 tensor "output_0" shape [24, 64]
// CHECK:       cluster.global constant @softex_slopes
// CHECK:       cluster.kernel @linear_24x64x64_gelu
// CHECK:       cluster.stream dma_in
// CHECK:       cluster.stream redmule
// CHECK:       redmule.gemm
// CHECK:       cluster.stream compute
// CHECK:       softex.sum_of_exponentials
// CHECK:       cluster.stream dma_out
// CHECK:       cluster.schedule cycles {{[0-9]+}} {
// CHECK-NEXT:  cluster.launch @linear_24x64x64_gelu args {{.*}} bases [0, 0, 0, 0] {layer = "fc", operation = "linear", cycles = array<i64: {{.*}}>, macs = 98304 : i64, spans = array<i64: {{.*}}>, moved = array<i64: 14336, 3072>}
// CHECK:       cluster.source "" placement [{op = "linear", layer = "fc", unit = "redmule+softex+cores"
// CHECK-SAME:  layers [{name = "fc", kind = "linear", title = "fc"}] text "builtin.module {\0A
