"""Compute on values. No clock, disk, network or console, so that every test is a table."""
