"""KNOWS the accounts: where tokens come from, and when they changed."""
