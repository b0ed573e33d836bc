"""Supervisor and workers: start, reload, crash, drain, stop."""
