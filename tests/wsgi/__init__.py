"""What a WSGI application sees and what becomes of its answers (PEP 3333)."""
