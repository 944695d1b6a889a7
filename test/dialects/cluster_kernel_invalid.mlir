// What a kernel's arguments, streams, buffers and launches must be.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

// expected-error@below {{first four arguments are the counter bases}}
cluster.kernel @k(%a : index, %b : index, %c : index) {}

// -----

// expected-error@below {{launch argument 0 must be an index or a memref in #cluster.l2, found memref<4xbf16, #cluster.tcdm>}}
cluster.kernel @k(%a : index, %b : index, %c : index, %d : index, %x : memref<4xbf16, #cluster.tcdm>) {}

// -----

// expected-error@below {{stream dma_in is defined twice in kernel @k}}
cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream dma_in {}
  cluster.stream dma_in {}
}

// -----

// expected-error@below {{buffer "x" is defined twice in kernel @k}}
cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  %x = cluster.buffer "x" at 8192 : memref<4xbf16, #cluster.tcdm>
  %y = cluster.buffer "x" at 8200 : memref<4xbf16, #cluster.tcdm>
}

// -----

// expected-error@below {{streams are bodies of a cluster.kernel}}
cluster.stream dma_in {}

// -----

// expected-error@below {{buffers lie in #cluster.tcdm, found memref<4xbf16>}}
%b = cluster.buffer "b" : memref<4xbf16>

// -----

// expected-error@below {{buffer "b" at bytes 64..72 must be 4-byte aligned and within 4160..262144 of the TCDM}}
%b = cluster.buffer "b" at 64 : memref<4xbf16, #cluster.tcdm>

// -----

cluster.schedule {
  // expected-error@below {{a launch has 4 counter bases}}
  cluster.launch @k args [] bases [0, 0]
}
