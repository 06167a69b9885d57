"""The gate for one worker process: everything in memory, gone when it stops."""
