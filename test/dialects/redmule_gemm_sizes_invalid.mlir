// Sizes that the published RTL hangs on or computes wrongly.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{needs an inner size n of at least 17, found 16: pad it with zeros to 32}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 16 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{wrong rows for one tile of 4..23 rows, several column tiles and n % 32 in 1..8, found m = 5, n = 40, k = 33}}
%t = redmule.gemm %b[], %b[], %b[] m = 5 n = 40 k = 33 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{never signals the end of a job that stores 65544 tile rows; the limit is 65535}}
%t = redmule.gemm %b[], %b[], %b[] m = 65535 n = 32 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{wrong rows from tile 23 on when m needs at least 24 row tiles and n % 8 is not 0, found m = 576, n = 20}}
%t = redmule.gemm %b[], %b[], %b[] m = 576 n = 20 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{memory behind W by zero when n % 8 is 1..3}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 57 k = 32 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>

// -----

%b = "test.op"() : () -> memref<99999999xbf16, #cluster.tcdm>
// expected-error@below {{sizes are 1..65535, found k = 65536}}
%t = redmule.gemm %b[], %b[], %b[] m = 24 n = 32 k = 65536 : memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>, memref<99999999xbf16, #cluster.tcdm>
