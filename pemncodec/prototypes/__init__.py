"""Prototypes: made from a seed (`generator`), or found in the values of a checkpoint (`find`)."""
