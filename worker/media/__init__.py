"""KNOWS what lies behind the URL of a file, and asks nobody but public addresses for it."""
