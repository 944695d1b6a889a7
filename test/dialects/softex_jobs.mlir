// SoftEx jobs round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s

%i = "test.op"() : () -> index
%one = arith.constant 1 : index
%x, %c = "test.op"() : () -> (memref<4x208xbf16, #cluster.tcdm>, memref<4xbf16, #cluster.tcdm>)
// CHECK: %s = softex.softmax %x[%i], %x[%i] length = 208 : memref<4x208xbf16, #cluster.tcdm>, memref<4x208xbf16, #cluster.tcdm>
%s = softex.softmax %x[%i], %x[%i] length = 208 : memref<4x208xbf16, #cluster.tcdm>, memref<4x208xbf16, #cluster.tcdm>
// CHECK-NEXT: softex.softmax %x[%i, %i], %x[%i] length = 197 minus_infinity_follows :
%u = softex.softmax %x[%i, %i], %x[%i] length = 197 minus_infinity_follows : memref<4x208xbf16, #cluster.tcdm>, memref<4x208xbf16, #cluster.tcdm>
// CHECK-NEXT: softex.sum_of_exponentials %x[%i], %x[%i], %c[], %c[] length = 832 terms = 4 :
%e = softex.sum_of_exponentials %x[%i], %x[%i], %c[], %c[] length = 832 terms = 4 : memref<4x208xbf16, #cluster.tcdm>, memref<4x208xbf16, #cluster.tcdm>, memref<4xbf16, #cluster.tcdm>, memref<4xbf16, #cluster.tcdm>
%m = "test.op"() : () -> memref<4x2xi32, #cluster.tcdm>
// CHECK: softex.open_slots %m : memref<4x2xi32, #cluster.tcdm>
softex.open_slots %m : memref<4x2xi32, #cluster.tcdm>
// CHECK-NEXT: softex.accumulate %x[%i] length = 32 slot = %one chunk = %i of %i :
%a = softex.accumulate %x[%i] length = 32 slot = %one chunk = %i of %i : memref<4x208xbf16, #cluster.tcdm>
// CHECK-NEXT: softex.accumulate %x[%i] length = 20 slot = %one chunk = %i of %one minus_infinity_follows queued :
%b = softex.accumulate %x[%i] length = 20 slot = %one chunk = %i of %one minus_infinity_follows queued : memref<4x208xbf16, #cluster.tcdm>
// CHECK-NEXT: softex.divide %x[%i], %x[%i] length = 32 slot = %one last :
%d = softex.divide %x[%i], %x[%i] length = 32 slot = %one last : memref<4x208xbf16, #cluster.tcdm>, memref<4x208xbf16, #cluster.tcdm>
// CHECK-NEXT: cluster.await %s : !cluster.token<softex>
cluster.await %s : !cluster.token<softex>
// CHECK-NEXT: softex.drain
softex.drain
