"""DECIDES. Standard library only: no IO, no clock, no dice, no event loop, no log."""
