"""USR2: a new server takes the place of the old one, or does not, and no request is lost either way."""
