"""What `igsend send` is made of: where requests come from, their way, and what is told of it."""
