"""`tapster front` and the servers behind it."""
