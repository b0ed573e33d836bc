"""The native part: the server itself."""

__version__: str

def main(arguments: list[str]) -> int:
    """Run the `tapster` command; return the exit status of the process."""
