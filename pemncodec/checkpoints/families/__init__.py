"""The families of checkpoints, one a file; `table` has them in the order in which they are tried."""
