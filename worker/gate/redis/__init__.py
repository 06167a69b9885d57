"""The gate on Redis or Valkey, shared by any number of workers."""
