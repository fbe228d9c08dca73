"""Benchmarks: how fast the program is, in one run, on this machine."""
