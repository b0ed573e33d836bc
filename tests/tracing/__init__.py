"""Black-box tests of traces: spans of the application by what instruments it, read by a collector of the tests."""
