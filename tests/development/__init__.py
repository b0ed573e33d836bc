"""--reload: what is saved is served, and what is broken is shown."""
