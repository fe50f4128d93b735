"""The model in the middle: a network as prototypes, masks and entries, neither a checkpoint nor bytes."""
