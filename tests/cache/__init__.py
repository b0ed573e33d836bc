"""Compression and the response cache of the front."""
