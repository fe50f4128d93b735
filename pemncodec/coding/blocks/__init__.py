"""Block coders, one a file (spec section 6), and which arrays share a block; `coders` has the table of them."""
