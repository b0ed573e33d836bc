"""Requests that take too long: time-outs, stacks, the queue."""
