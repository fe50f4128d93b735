"""Compare a packed file with its checkpoint by another way than packing took.

Packing reads with its own reader, recognises, and derives masks by selection; here `torch.load` (or safetensors, numpy)
reads, nothing is recognised, and a mask is checked by what its rule says of every score. Only the claims of the draft
are taken over: which tensor of the checkpoint a tensor of the file is, and which scores its mask follows from. A tensor
of the checkpoint that no claim mentions is an error. `docs/checkpoints.md` says what that proves.
"""
