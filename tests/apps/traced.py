"""A Flask application whose spans are looked at; `/new-relic` says what New Relic's agent knows of the request."""

import os

from flask import Flask, abort

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """The process that answers."""
    return str(os.getpid())


@app.get("/missing")
def missing() -> str:
    """A failure that is meant."""
    abort(404)


@app.get("/new-relic")
def new_relic() -> str:
    """The trace that the agent records; nothing before it is active."""
    import newrelic.agent

    return newrelic.agent.current_trace_id() or ""
