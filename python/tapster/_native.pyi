"""The native part: the server itself."""

__all__ = ["__version__", "main"]

__version__: str

def main(arguments: list[str]) -> int:
    """Run the `tapster` command; return the exit status of the process."""
