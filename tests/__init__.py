"""Tests, typed and linted like the product; `make test` runs them all."""
