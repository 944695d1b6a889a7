// Memory must be planned, and objects in L2 come as arguments.
// RUN: softex-opt %s -p convert-kernels-to-functions --split-input-file --verify-diagnostics

cluster.kernel @k(%in : index, %out : index, %red : index, %com : index) {
  // expected-error@below {{"b" has no place in the TCDM yet: plan the memory first}}
  %b = cluster.buffer "b" : memref<8xbf16, #cluster.tcdm>
  cluster.stream compute {
    "test.op"(%b) : (memref<8xbf16, #cluster.tcdm>) -> ()
  }
}

// -----

cluster.global weight @w : memref<8xbf16, #cluster.l2>
cluster.kernel @k(%in : index, %out : index, %red : index, %com : index) {
  cluster.stream compute {
    // expected-error@below {{@w is in L2: kernels take L2 objects as arguments}}
    %w = cluster.get_global @w : memref<8xbf16, #cluster.l2>
    "test.op"(%w) : (memref<8xbf16, #cluster.l2>) -> ()
  }
}
