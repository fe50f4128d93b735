"""The container: manifest + sections + checksums <-> bytes (spec sections 2 to 4).

Nothing in here imports numpy or torch, so that `pemn inspect` starts fast.
"""
