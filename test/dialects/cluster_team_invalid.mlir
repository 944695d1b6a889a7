// Team operations need the team: not in other streams, not where it is divided.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream redmule {
    // expected-error@below {{cluster.barrier needs a team of cores: use it in the compute stream}}
    cluster.barrier
  }
}

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream compute {
    cluster.leader {
      // expected-error@below {{not all cores of the team come here: the barrier never opens}}
      cluster.barrier
    }
  }
}

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream compute {
    cluster.parallel (%i) = %a to %b {
      // expected-error@below {{the team is already divided here: use scf.for}}
      cluster.parallel (%j) = %a to %b {}
    }
  }
}

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream compute {
    cluster.leader {
      scf.for %i = %a to %b step %c {
        // expected-error@below {{contains a barrier of the whole team: not in cluster.leader}}
        cluster.advance
      }
    }
  }
}

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream dma_in {
    // expected-error@below {{an advance is by a known or by a computed number, found both}}
    cluster.advance by 2 by_computed %a
  }
}
