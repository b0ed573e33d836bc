"""The loader of applications, without a server."""
