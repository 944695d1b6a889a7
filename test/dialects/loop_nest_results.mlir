// RUN: softex-opt %s | softex-opt | filecheck %s

// A loop nest with several results: xDSL prints their types in parentheses.
// CHECK: } -> (tensor<4xf32>, tensor<4xi32>)
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi32>) {
  %a = tensor.empty() : tensor<4xf32>
  %b = tensor.empty() : tensor<4xi32>
  %y, %n = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%a, %b : tensor<4xf32>, tensor<4xi32>) {
  ^bb0(%e: f32, %p: f32, %q: i32):
    %i = arith.fptosi %e : f32 to i32
    linalg.yield %e, %i : f32, i32
  } -> (tensor<4xf32>, tensor<4xi32>)
  func.return %y, %n : tensor<4xf32>, tensor<4xi32>
}
