"""A signed set, from both sides: written by its leader, followed by everybody else."""
