"""The parts of a `.pemn` file, written as they are told: nothing is checked, chosen or merged."""
