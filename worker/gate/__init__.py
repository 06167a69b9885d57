"""REMEMBERS across requests: limits, ledger, turns and closures, behind the Gate port."""
