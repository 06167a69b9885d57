"""SEQUENCES. `process.py` is the main path; every other file is one of its steps.

Knows the ports and the core, no library of the outside world.
"""
