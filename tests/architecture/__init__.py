"""Checks of the source itself: who may depend on whom, and what each part may contain. Run by `make lint`."""
