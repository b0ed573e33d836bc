"""What `tapster gunicorn` does in Python: gunicorn.conf.py is executed, and its functions are called. No public API."""
