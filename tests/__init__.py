"""Black-box tests: real server processes, real sockets. Run by pytest, from `make test`."""
