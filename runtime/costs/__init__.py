"""What a run or an estimate costs, and why: who works when, who binds, in figures that add up."""
