"""KNOWS the accounts: where their tokens come from, and when they changed."""
