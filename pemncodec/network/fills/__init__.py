"""The rules of `container.manifest.zero_table`, one module each: a layer under its mask (spec section 7)."""
