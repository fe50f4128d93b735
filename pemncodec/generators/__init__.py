"""Values that follow from a seed (spec section 8)."""
