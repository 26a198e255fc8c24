"""Measures Parley with the simulator against a bare relay, in turns. README.md says how."""
