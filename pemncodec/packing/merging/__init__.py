"""Files of single networks, or of tasks, as one file of tasks; masks and prototypes are taken as they are."""
