"""Flask, Django and the three WSGI forms, from examples/."""
