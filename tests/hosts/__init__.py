"""Tests of how the server gets on with its host: service managers, users, files, terminals, hooks."""
