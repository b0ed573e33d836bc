"""The control socket, its commands, and the health checks: real processes, real sockets."""
