"""The command `pemn`."""
