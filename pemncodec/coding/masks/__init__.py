"""Mask coders, one a file (spec section 5); `coders` has the table of them."""
