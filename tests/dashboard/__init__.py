"""Tests of the dashboard, by bytes and in a browser."""
