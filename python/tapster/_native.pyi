"""The native part: the server itself."""

__all__ = ["__version__", "main", "set_log_variable"]

__version__: str

def main(arguments: list[str]) -> int:
    """Run the `tapster` command; return the exit status of the process."""

def set_log_variable(name: str, value: str) -> None:
    """Have the access log show `value` as `name` for the request that this thread answers."""
