// SoftEx jobs: take a context (sleep while there is none), write what the job uses, trigger.
// RUN: softex-opt %s -p convert-jobs-to-commands | filecheck %s

func.func @f() attributes {cluster.stream = #cluster<stream compute>} {
  %a, %b = "test.op"() : () -> (i32, i32)
  %x = cluster.view %a : memref<64xbf16, #cluster.tcdm>
  %c = cluster.view %b : memref<4xbf16, #cluster.tcdm>
  // CHECK: %t = scf.while () : () -> i32 {
  // CHECK-NEXT: %[[JOB:.*]] = hwpe.read softex "ACQUIRE"
  // CHECK: %[[NONE:.*]] = arith.cmpi slt, %[[JOB]]
  // CHECK-NEXT: scf.condition(%[[NONE]]) %[[JOB]] : i32
  // CHECK: hwpe.wait event_unit "EVENT_WAIT_CLEAR"
  // CHECK: hwpe.write softex "IN_ADDR", %a
  // CHECK-NEXT: hwpe.write softex "OUT_ADDR", %a
  // CHECK-NEXT: %[[LENGTH:.*]] = arith.constant 128 : i32
  // CHECK-NEXT: hwpe.write softex "TOT_LEN", %[[LENGTH]]
  // CHECK-NEXT: %[[COMMANDS:.*]] = arith.constant 0 : i32
  // CHECK-NEXT: hwpe.write softex "COMMANDS", %[[COMMANDS]]
  // CHECK: hwpe.write softex "TRIGGER"
  %t = softex.softmax %x[], %x[] length = 64 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>
  // a job is complete when the unit has finished more jobs than its number
  // CHECK: %[[DONE:.*]] = hwpe.read softex "RUNNING_JOB"
  // CHECK-NEXT: %[[AHEAD:.*]] = arith.subi %[[DONE]], %t : i32
  // CHECK: arith.shli %[[AHEAD]]
  // CHECK: arith.cmpi sle
  cluster.await %t : !cluster.token<softex>
  // CHECK: hwpe.read softex "ACQUIRE"
  // CHECK: hwpe.write softex "A_ADDR", %b
  // CHECK-NEXT: hwpe.write softex "B_ADDR", %b
  // four terms, sum of exponentials
  // CHECK: %[[COMMANDS:.*]] = arith.constant 262400 : i32
  // CHECK-NEXT: hwpe.write softex "COMMANDS", %[[COMMANDS]]
  %e = softex.sum_of_exponentials %x[], %x[], %c[], %c[] length = 64 terms = 4 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>, memref<4xbf16, #cluster.tcdm>, memref<4xbf16, #cluster.tcdm>
  %slot, %m = "test.op"() : () -> (index, i32)
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %spill = cluster.view %m : memref<2x2xi32, #cluster.tcdm>
  // no operation, set the spill area's address
  // CHECK: hwpe.write softex "SOFT_CLEAR"
  // CHECK-NEXT: hwpe.delay 1
  // CHECK: %[[COMMANDS:.*]] = arith.constant 48 : i32
  // CHECK-NEXT: hwpe.write softex "COMMANDS", %[[COMMANDS]]
  // CHECK-NEXT: hwpe.write softex "CACHE_BASE_ADDR", %m
  // CHECK: hwpe.write softex "TRIGGER"
  softex.open_slots %spill : memref<2x2xi32, #cluster.tcdm>
  // accumulate only, acquire the slot, last: alone in the unit, COMMANDS when that is idle
  // CHECK: %[[SLOT:.*]] = arith.index_cast %slot : index to i32
  // CHECK: %[[SHIFTED:.*]] = arith.muli %[[SLOT]]
  // CHECK-NEXT: %[[FLAGS:.*]] = arith.constant 13 : i32
  // CHECK-NEXT: %[[COMMANDS:.*]] = arith.addi %[[SHIFTED]], %[[FLAGS]]
  // CHECK: hwpe.read softex "ACQUIRE"
  // CHECK: hwpe.read softex "STATUS"
  // CHECK: hwpe.write softex "COMMANDS", %[[COMMANDS]]
  %s = softex.accumulate %x[] length = 64 slot = %slot chunk = %slot of %one : memref<64xbf16, #cluster.tcdm>
  // queued: COMMANDS, and with it the request for the slot, directly behind the ACQUIRE
  // CHECK: %[[ENDS:.*]] = arith.select %{{.*}}, %{{.*}}, %{{.*}} : i32
  // CHECK: %[[FLAGS:.*]] = arith.select %{{.*}}, %{{.*}}, %[[ENDS]] : i32
  // CHECK: %[[COMMANDS:.*]] = arith.addi %{{.*}}, %[[FLAGS]]
  // CHECK: hwpe.read softex "ACQUIRE"
  // CHECK: hwpe.write softex "COMMANDS", %[[COMMANDS]]
  // CHECK: hwpe.write softex "IN_ADDR"
  // CHECK-NOT: hwpe.read softex "STATUS"
  // CHECK: hwpe.write softex "TRIGGER"
  %q = softex.accumulate %x[] length = 64 slot = %slot chunk = %slot of %four queued : memref<64xbf16, #cluster.tcdm>
  // divide only, last
  // CHECK: arith.constant 10 : i32
  // CHECK: hwpe.write softex "COMMANDS"
  %d = softex.divide %x[], %x[] length = 64 slot = %slot last : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>
  // CHECK: %[[STATUS:.*]] = hwpe.read softex "STATUS"
  // CHECK: arith.cmpi ne, %[[STATUS]]
  softex.drain
  func.return
}
