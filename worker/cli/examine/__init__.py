"""What `igsend doctor` looks at, a module for each part."""
