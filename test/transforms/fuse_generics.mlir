// RUN: softex-opt %s -p fuse-generics | filecheck %s

// A chain becomes one nest: what was narrowed between stays narrowed, an operand read twice is one.

// CHECK-LABEL: func.func @chain
// CHECK:         %[[Y:.*]] = linalg.generic
// CHECK-SAME:      ins(%{{[^,]*}}, %{{[^,]*}} : tensor<4x6xbf16>, tensor<6xbf16>)
// CHECK:           math.tanh
// CHECK-NEXT:      arith.truncf
// CHECK-NEXT:      arith.extf
// CHECK:           arith.addf
// CHECK:           linalg.yield
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @chain(%x: tensor<4x6xbf16>, %y: tensor<6xbf16>) -> tensor<4x6xbf16> {
  %e = tensor.empty() : tensor<4x6xbf16>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %t = math.tanh %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  %b = "transformer.add"(%a, %y) : (tensor<4x6xbf16>, tensor<6xbf16>) -> tensor<4x6xbf16>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%b, %x : tensor<4x6xbf16>, tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %j: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %v = arith.extf %j : bf16 to f32
    %t = arith.mulf %w, %v : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  func.return %c : tensor<4x6xbf16>
}

// A sum over the transposed result: the maps are composed.

// CHECK-LABEL: func.func @transposed
// CHECK:         linalg.generic
// CHECK-SAME:      affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>
// CHECK-SAME:      iterator_types = ["parallel", "reduction"]
// CHECK:           math.absf
// CHECK:           arith.addf
// CHECK-NOT:     linalg.generic
func.func @transposed(%x: tensor<4x6xbf16>) -> tensor<6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x6xbf16>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    %t = math.absf %w : f32
    linalg.yield %t : f32
  } -> tensor<4x6xf32>
  %zero = arith.constant 0.0 : f32
  %s = tensor.splat %zero : tensor<6xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<4x6xf32>) outs(%s : tensor<6xf32>) {
  ^bb0(%i: f32, %o: f32):
    %t = arith.addf %o, %i : f32
    linalg.yield %t : f32
  } -> tensor<6xf32>
  func.return %b : tensor<6xf32>
}

// What two nests read, and what would be computed more than once, stays by itself.

// CHECK-LABEL: func.func @apart
// CHECK-COUNT-3: linalg.generic
func.func @apart(%x: tensor<4x1xbf16>, %y: tensor<4x6xbf16>) -> (tensor<4x6xbf16>, tensor<4x6xbf16>) {
  %r = tensor.empty() : tensor<4x1xbf16>
  %e = tensor.empty() : tensor<4x6xbf16>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x1xbf16>) outs(%r : tensor<4x1xbf16>) {
  ^bb0(%i: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %t = math.exp %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x1xbf16>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a, %y : tensor<4x1xbf16>, tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %j: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %v = arith.extf %j : bf16 to f32
    %t = arith.divf %v, %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %t = math.sin %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  func.return %b, %c : tensor<4x6xbf16>, tensor<4x6xbf16>
}

// A nest that stays apart does not keep the others that the reader has.

// CHECK-LABEL: func.func @beside
// CHECK: math.exp
// CHECK: linalg.generic
// CHECK: math.sin
// CHECK-NEXT: arith.truncf
// CHECK-NEXT: arith.extf
// CHECK-NOT: linalg.generic
func.func @beside(%x: tensor<4x1xbf16>, %y: tensor<4x6xbf16>) -> tensor<4x6xbf16> {
  %r = tensor.empty() : tensor<4x1xbf16>
  %e = tensor.empty() : tensor<4x6xbf16>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x1xbf16>) outs(%r : tensor<4x1xbf16>) {
  ^bb0(%i: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %t = math.exp %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x1xbf16>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %t = math.sin %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<4x1xbf16>, tensor<4x6xbf16>) outs(%e : tensor<4x6xbf16>) {
  ^bb0(%i: bf16, %j: bf16, %o: bf16):
    %w = arith.extf %i : bf16 to f32
    %v = arith.extf %j : bf16 to f32
    %t = arith.divf %v, %w : f32
    %n = arith.truncf %t : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<4x6xbf16>
  func.return %c : tensor<4x6xbf16>
}
