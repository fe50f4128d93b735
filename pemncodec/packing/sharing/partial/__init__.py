"""Find prototypes where only some values of a layer are known: a weight that was saved multiplied by its mask."""
