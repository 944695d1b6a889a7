// A write is redundant against the bank it goes to: the one of the job before the previous one.
// RUN: softex-opt %s -p elide-redundant-register-writes | filecheck %s

func.func @banks() attributes {cluster.stream = #cluster<stream compute>} {
  %a, %b = "test.op"() : () -> (i32, i32)
  %0 = arith.constant 0 : i32
  // CHECK: "first"
  "test.op"() {at = "first"} : () -> ()
  // CHECK: hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TRIGGER", %0
  // the other bank does not hold %a yet
  // CHECK: "second"
  "test.op"() {at = "second"} : () -> ()
  // CHECK-NEXT: hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TRIGGER", %0
  // both do now
  // CHECK: "third"
  "test.op"() {at = "third"} : () -> ()
  // CHECK-NEXT: hwpe.write softex "TRIGGER"
  hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TRIGGER", %0
  // CHECK: "fourth"
  "test.op"() {at = "fourth"} : () -> ()
  // CHECK-NEXT: hwpe.write softex "TOT_LEN", %b
  hwpe.write softex "TOT_LEN", %b
  hwpe.write softex "TRIGGER", %0
  // the third job's bank
  // CHECK: "fifth"
  "test.op"() {at = "fifth"} : () -> ()
  // CHECK-NEXT: hwpe.write softex "TRIGGER"
  hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TRIGGER", %0
  // the fourth job's bank
  // CHECK: "sixth"
  "test.op"() {at = "sixth"} : () -> ()
  // CHECK-NEXT: hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TOT_LEN", %a
  hwpe.write softex "TRIGGER", %0
  func.return
}

// Writes that act are kept: MACFG starts the tiler, COMMANDS of chunks requests a slot.
// CHECK: func.func @acting
func.func @acting() attributes {cluster.stream = #cluster<stream compute>} {
  %slot = arith.constant 65537 : i32
  // CHECK: hwpe.write softex "COMMANDS"
  // CHECK-NEXT: hwpe.write softex "COMMANDS"
  hwpe.write softex "COMMANDS", %slot
  hwpe.write softex "COMMANDS", %slot
  // CHECK-NEXT: hwpe.write redmule "MACFG"
  // CHECK-NEXT: hwpe.write redmule "MACFG"
  hwpe.write redmule "MACFG", %slot
  hwpe.write redmule "MACFG", %slot
  func.return
}
