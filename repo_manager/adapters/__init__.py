"""Wrap one outside thing each, behind one interface: disk, network, Windows, keys, clocks."""
