"""A checkpoint to a file: the pipeline, and what only an encoder needs."""
