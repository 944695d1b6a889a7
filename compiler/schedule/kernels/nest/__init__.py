"""The kernel of loop nests."""
