"""What masters lose to each other at the TCDM's banks."""
