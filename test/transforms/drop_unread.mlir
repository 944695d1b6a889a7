// What a slice leaves out is not computed: rows in front of linear layers, of queries, of residuals;
// keys and values stay whole. Columns of a joined projection are split where different rows are read.
// RUN: softex-opt %s -p drop-unread | filecheck %s
// RUN: softex-opt %s -p drop-unread,drop-unread | filecheck %s

// CHECK: func.func @main
// CHECK-SAME: transformer.unread_macs =
// CHECK: transformer.slice %x {offsets = array<i64: 4, 0>, sizes = array<i64: 2, 8>, strides = array<i64: 5, 1>
// CHECK-NEXT: transformer.linear {{.*}} tensor<2x8xbf16>, tensor<8x8xbf16> -> tensor<2x8xbf16>
// CHECK: transformer.linear %x, {{.*}} -> tensor<10x16xbf16>
// CHECK: transformer.attention {{.*}}batch = 2 : i64{{.*}} -> tensor<2x8xbf16>
// CHECK: transformer.linear {{.*}} residual {{.*}} -> tensor<2x8xbf16>
// CHECK-NEXT: transformer.reshape {{.*}} tensor<2x8xbf16> -> tensor<2x1x8xbf16>
// CHECK-NEXT: func.return
func.func @main(%x : tensor<10x8xbf16>, %w : tensor<8x24xbf16>, %o : tensor<8x8xbf16>, %bias : tensor<5x32xbf16>) -> tensor<2x1x8xbf16> {
  %qkv = transformer.linear %x, %w : tensor<10x8xbf16>, tensor<8x24xbf16> -> tensor<10x24xbf16>
  %q = transformer.slice %qkv {offsets = array<i64: 0, 0>, sizes = array<i64: 10, 8>} : tensor<10x24xbf16> -> tensor<10x8xbf16>
  %k = transformer.slice %qkv {offsets = array<i64: 0, 8>, sizes = array<i64: 10, 8>} : tensor<10x24xbf16> -> tensor<10x8xbf16>
  %v = transformer.slice %qkv {offsets = array<i64: 0, 16>, sizes = array<i64: 10, 8>} : tensor<10x24xbf16> -> tensor<10x8xbf16>
  %a = transformer.attention %q, %k, %v, %bias {heads = 2 : i64, batch = 2 : i64, bias_rows = "query"} : tensor<10x8xbf16>, tensor<10x8xbf16>, tensor<10x8xbf16>, tensor<5x32xbf16> -> tensor<10x8xbf16>
  %y = transformer.linear %a, %o residual %x : tensor<10x8xbf16> : tensor<10x8xbf16>, tensor<8x8xbf16> -> tensor<10x8xbf16>
  %by_token = transformer.reshape %y : tensor<10x8xbf16> -> tensor<2x5x8xbf16>
  %last = transformer.slice %by_token {offsets = array<i64: 0, 4, 0>, sizes = array<i64: 2, 1, 8>} : tensor<2x5x8xbf16> -> tensor<2x1x8xbf16>
  func.return %last : tensor<2x1x8xbf16>
}
