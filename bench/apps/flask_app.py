"""The smallest Flask application."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """A page."""
    return "Hello, World!"
