// Functions of linear algebra as mlir-opt prints them, one idea each.

// ----- batch_matmul
func.func @main(%a: tensor<2x3x4xf32>, %b: tensor<2x4x5xf32>) -> tensor<2x3x5xf32> {
  %c = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<2x3x5xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %2 = linalg.batch_matmul ins(%a, %b : tensor<2x3x4xf32>, tensor<2x4x5xf32>) outs(%1 : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %2 : tensor<2x3x5xf32>
}

// ----- matmul_by_maps
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @main(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %0 = linalg.matmul indexing_maps = [#a, #b, #c] ins(%a, %b : tensor<3x4xf32>, tensor<5x4xf32>) outs(%c : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// ----- contraction
#a = affine_map<(b, h, q, k, d) -> (b, q, h, d)>
#b = affine_map<(b, h, q, k, d) -> (b, k, h, d)>
#c = affine_map<(b, h, q, k, d) -> (b, h, q, k)>
func.func @main(%a: tensor<2x3x4x5xf32>, %b: tensor<2x6x4x5xf32>) -> tensor<2x4x3x6xf32> {
  %c = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<2x4x3x6xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %2 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%a, %b : tensor<2x3x4x5xf32>, tensor<2x6x4x5xf32>) outs(%1 : tensor<2x4x3x6xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %3 = arith.mulf %x, %y : f32
    %4 = arith.addf %acc, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<2x4x3x6xf32>
  return %2 : tensor<2x4x3x6xf32>
}

// ----- contract
#a = affine_map<(m, n, k) -> (k, m)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (n, m)>
func.func @main(%a: tensor<4x3xf32>, %b: tensor<4x5xf32>, %c: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %0 = linalg.contract indexing_maps = [#a, #b, #c] ins(%a, %b : tensor<4x3xf32>, tensor<4x5xf32>) outs(%c : tensor<5x3xf32>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}

// ----- products_with_vectors
func.func @main(%a: tensor<3x4xf32>, %b: tensor<4xf32>, %c: tensor<3xf32>, %d: tensor<4xf32>) -> (tensor<3xf32>, tensor<4xf32>) {
  %0 = linalg.matvec ins(%a, %b : tensor<3x4xf32>, tensor<4xf32>) outs(%c : tensor<3xf32>) -> tensor<3xf32>
  %1 = linalg.vecmat ins(%c, %a : tensor<3xf32>, tensor<3x4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<3xf32>, tensor<4xf32>
}

// ----- named_elementwise
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = tensor.empty() : tensor<2x3xf32>
  %1 = linalg.add ins(%a, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = linalg.exp ins(%1 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = linalg.rsqrt ins(%2 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = linalg.square ins(%3 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = linalg.max ins(%4, %a : tensor<2x3xf32>, tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = linalg.negf ins(%5 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %6 : tensor<2x3xf32>
}

// ----- elementwise
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = tensor.empty() : tensor<2x3xf32>
  %1 = linalg.elementwise kind=#linalg.elementwise_kind<sub> ins(%a, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = linalg.elementwise kind=#linalg.elementwise_kind<exp> ins(%1 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = linalg.elementwise kind=#linalg.elementwise_kind<rsqrt> ins(%2 : tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %3 : tensor<2x3xf32>
}

// ----- softmax
func.func @main(%a: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = tensor.empty() : tensor<2x3x4xf32>
  %1 = linalg.softmax dimension(1) ins(%a : tensor<2x3x4xf32>) outs(%0 : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// ----- reduce_and_broadcast
func.func @main(%a: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %c = arith.constant 1.5 : f32
  %0 = tensor.empty() : tensor<2x4xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = linalg.reduce { arith.addf } ins(%a : tensor<2x3x4xf32>) outs(%1 : tensor<2x4xf32>) dimensions = [1]
  %3 = tensor.empty() : tensor<2x3x4xf32>
  %4 = linalg.broadcast ins(%2 : tensor<2x4xf32>) outs(%3 : tensor<2x3x4xf32>) dimensions = [1]
  %5 = linalg.map { arith.mulf } ins(%a, %4 : tensor<2x3x4xf32>, tensor<2x3x4xf32>) outs(%3 : tensor<2x3x4xf32>)
  return %5 : tensor<2x3x4xf32>
}

// ----- reduce_with_body
func.func @main(%a: tensor<2x3xf32>) -> tensor<2xf32> {
  %c = arith.constant 1.0 : f32
  %0 = tensor.empty() : tensor<2xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<2xf32>) -> tensor<2xf32>
  %2 = linalg.reduce ins(%a : tensor<2x3xf32>) outs(%1 : tensor<2xf32>) dimensions = [1]
    (%in: f32, %acc: f32) {
      %3 = math.absf %in : f32
      %4 = arith.mulf %3, %acc : f32
      linalg.yield %4 : f32
    }
  return %2 : tensor<2xf32>
}

// ----- largest_and_its_place
#x = affine_map<(d0, d1) -> (d0, d1)>
#y = affine_map<(d0, d1) -> (d0)>
func.func @main(%a: tensor<3x5xf32>) -> (tensor<3xf32>, tensor<3xi64>) {
  %low = arith.constant 0xFF800000 : f32
  %none = arith.constant 0 : i64
  %0 = tensor.empty() : tensor<3xf32>
  %1 = linalg.fill ins(%low : f32) outs(%0 : tensor<3xf32>) -> tensor<3xf32>
  %2 = tensor.empty() : tensor<3xi64>
  %3 = linalg.fill ins(%none : i64) outs(%2 : tensor<3xi64>) -> tensor<3xi64>
  %4:2 = linalg.generic {indexing_maps = [#x, #y, #y], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<3x5xf32>) outs(%1, %3 : tensor<3xf32>, tensor<3xi64>) {
  ^bb0(%in: f32, %out: f32, %place: i64):
    %5 = linalg.index 1 : index
    %6 = arith.index_cast %5 : index to i64
    %7 = arith.maximumf %in, %out : f32
    %8 = arith.cmpf ogt, %in, %out : f32
    %9 = arith.select %8, %6, %place : i64
    linalg.yield %7, %9 : f32, i64
  } -> (tensor<3xf32>, tensor<3xi64>)
  return %4#0, %4#1 : tensor<3xf32>, tensor<3xi64>
}

// ----- rows_of_a_table
#x = affine_map<(d0, d1, d2) -> (d0, d1)>
#y = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @main(%ids: tensor<2x3xi64>, %table: tensor<7x4xf32>) -> tensor<2x3x4xf32> {
  %seven = arith.constant 7 : index
  %0 = tensor.empty() : tensor<2x3x4xf32>
  %1 = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ids : tensor<2x3xi64>) outs(%0 : tensor<2x3x4xf32>) {
  ^bb0(%in: i64, %out: f32):
    %2 = arith.index_cast %in : i64 to index
    %3 = arith.cmpi slt, %2, %seven : index
    cf.assert %3, "index must be smaller than dim size"
    %4 = linalg.index 2 : index
    %5 = tensor.extract %table[%2, %4] : tensor<7x4xf32>
    linalg.yield %5 : f32
  } -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// ----- diagonal_and_reversed
#d = affine_map<(d0) -> (d0, d0)>
#r = affine_map<(d0) -> (-d0 + 3)>
#i = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#d, #r, #i], iterator_types = ["parallel"]} ins(%a, %b : tensor<4x4xf32>, tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %2 = arith.subf %x, %y : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// ----- accumulates_into_what_is_there
#x = affine_map<(d0, d1) -> (d0, d1)>
#y = affine_map<(d0, d1) -> (d1)>
func.func @main(%a: tensor<3x4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["reduction", "parallel"]} ins(%a : tensor<3x4xf32>) outs(%b : tensor<4xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %1 = math.exp %x : f32
    %2 = arith.addf %acc, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// ----- slices
func.func @main(%a: tensor<4x6xf32>, %b: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<6xf32>, tensor<4x6xf32>) {
  %0 = tensor.extract_slice %a[1, 0] [2, 3] [1, 2] : tensor<4x6xf32> to tensor<2x3xf32>
  %1 = tensor.extract_slice %a[2, 0] [1, 6] [1, 1] : tensor<4x6xf32> to tensor<6xf32>
  %2 = tensor.insert_slice %b into %a[1, 2] [2, 3] [1, 1] : tensor<2x3xf32> into tensor<4x6xf32>
  return %0, %1, %2 : tensor<2x3xf32>, tensor<6xf32>, tensor<4x6xf32>
}

// ----- padding
func.func @main(%a: tensor<2x3xf32>) -> tensor<3x6xf32> {
  %c = arith.constant -1.0 : f32
  %0 = tensor.pad %a low[1, 1] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %c : f32
  } : tensor<2x3xf32> to tensor<3x6xf32>
  return %0 : tensor<3x6xf32>
}

// ----- shapes
func.func @main(%a: tensor<2x6xf32>, %b: tensor<2x1xf32>) -> tensor<2x7xf32> {
  %0 = tensor.expand_shape %a [[0], [1, 2]] output_shape [2, 2, 3] : tensor<2x6xf32> into tensor<2x2x3xf32>
  %1 = tensor.collapse_shape %0 [[0], [1, 2]] : tensor<2x2x3xf32> into tensor<2x6xf32>
  %2 = tensor.concat dim(1) %1, %b : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x7xf32>
  %3 = tensor.cast %2 : tensor<2x7xf32> to tensor<2x7xf32>
  return %3 : tensor<2x7xf32>
}

// ----- generated
func.func @main(%a: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = tensor.generate {
  ^bb0(%i: index, %j: index):
    %1 = arith.addi %i, %j : index
    %2 = arith.index_cast %1 : index to i32
    %3 = arith.sitofp %2 : i32 to f32
    tensor.yield %3 : f32
  } : tensor<3x4xf32>
  %4 = arith.addf %a, %0 : tensor<3x4xf32>
  return %4 : tensor<3x4xf32>
}

// ----- convolution
func.func @main(%a: tensor<1x3x8x8xf32>, %w: tensor<4x3x2x2xf32>) -> tensor<1x4x4x4xf32> {
  %c = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<1x4x4x4xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%a, %w : tensor<1x3x8x8xf32>, tensor<4x3x2x2xf32>) outs(%1 : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %2 : tensor<1x4x4x4xf32>
}

// ----- convolution_channels_last
func.func @main(%a: tensor<1x8x8x3xf32>, %w: tensor<2x2x3x4xf32>) -> tensor<1x7x7x4xf32> {
  %c = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<1x7x7x4xf32>
  %1 = linalg.fill ins(%c : f32) outs(%0 : tensor<1x7x7x4xf32>) -> tensor<1x7x7x4xf32>
  %2 = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%a, %w : tensor<1x8x8x3xf32>, tensor<2x2x3x4xf32>) outs(%1 : tensor<1x7x7x4xf32>) -> tensor<1x7x7x4xf32>
  return %2 : tensor<1x7x7x4xf32>
}

// ----- comparisons
#i = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<6xf32>
  %1 = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]} ins(%a, %b : tensor<6xf32>, tensor<6xf32>) outs(%0 : tensor<6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %2 = arith.cmpf ult, %x, %y : f32
    %3 = arith.cmpf one, %x, %zero : f32
    %4 = arith.andi %2, %3 : i1
    %5 = arith.select %4, %x, %y : f32
    %6 = arith.uitofp %3 : i1 to f32
    %7 = arith.maxnumf %5, %6 : f32
    %8 = arith.remf %7, %y : f32
    linalg.yield %8 : f32
  } -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// ----- functions_of_numbers
#i = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> {
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3 : i32
  %0 = tensor.empty() : tensor<6xf32>
  %1 = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]} ins(%a : tensor<6xf32>) outs(%0 : tensor<6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %2 = math.fpowi %x, %three : f32, i32
    %3 = math.powf %2, %two : f32
    %4 = math.log1p %3 : f32
    %5 = math.exp2 %4 : f32
    %6 = math.log2 %5 : f32
    %7 = math.fma %6, %x, %two : f32
    %8 = math.expm1 %7 : f32
    %9 = math.trunc %8 : f32
    %10 = arith.negf %9 : f32
    %11 = math.roundeven %x : f32
    %12 = arith.addf %10, %11 : f32
    linalg.yield %12 : f32
  } -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// ----- calls_and_private_functions
module {
  func.func private @half(%x: tensor<3xf32>) -> tensor<3xf32> {
    %c = arith.constant dense<0.5> : tensor<3xf32>
    %0 = arith.mulf %x, %c : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  func.func @forward(%a: tensor<3xf32>) -> tensor<3xf32> {
    %0 = call @half(%a) : (tensor<3xf32>) -> tensor<3xf32>
    %1 = func.call @half(%0) : (tensor<3xf32>) -> tensor<3xf32>
    return %1 : tensor<3xf32>
  }
}

// ----- globals
module {
  util.global private @w = dense<[1.0, 2.0, 0x7F800000]> : tensor<3xf32>
  util.func public @forward(%a: tensor<3xf32>) -> tensor<3xf32> {
    %w = util.global.load @w : tensor<3xf32>
    %0 = arith.minimumf %a, %w : tensor<3xf32>
    util.return %0 : tensor<3xf32>
  }
}

// ----- windows
#x = affine_map<(d0, d1, d2) -> (d0, d1 * 2 + d2)>
#w = affine_map<(d0, d1, d2) -> (d2)>
#y = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @main(%a: tensor<2x8xf32>) -> tensor<2x3xf32> {
  %low = arith.constant 0xFF800000 : f32
  %w = tensor.empty() : tensor<3xf32>
  %0 = tensor.empty() : tensor<2x3xf32>
  %1 = linalg.fill ins(%low : f32) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %w : tensor<2x8xf32>, tensor<3xf32>) outs(%1 : tensor<2x3xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %3 = arith.maximumf %acc, %x : f32
    linalg.yield %3 : f32
  } -> tensor<2x3xf32>
  return %2 : tensor<2x3xf32>
}
