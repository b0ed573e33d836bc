"""A real nginx in front, configured by examples/behind-nginx/."""
