"""`--preload`: a template process that imports the application once and forks the workers."""
