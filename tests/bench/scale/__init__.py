"""MEASURES how igsend grows: processes, accounts, calls in flight, backlog, parked messages."""
