"""Find prototypes in the values of a checkpoint, and say in the words of the paper what was found."""
