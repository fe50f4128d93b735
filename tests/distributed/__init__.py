"""`pemncodec.distributed` in one process and in several."""
