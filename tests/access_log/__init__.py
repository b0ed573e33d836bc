"""The access log: formats, filters, destinations, and what it does to requests."""
