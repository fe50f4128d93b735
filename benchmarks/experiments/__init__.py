"""Modules that the paper's two experiments share: data, networks, training, counting of bytes, rows."""
