"""The uwsgi protocol on the wire."""
