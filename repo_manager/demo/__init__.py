"""A sandbox to try the tool in, and sample installers."""
