"""REPORTS. Logs, metrics and the health endpoints; decides nothing and never stops a request."""
