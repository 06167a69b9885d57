"""ASKS: the command line. One command per file; `main.py` is the argument tree."""
