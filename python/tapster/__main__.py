"""`python -m tapster`: the same as the `tapster` command."""

from tapster.cli import main

if __name__ == "__main__":
    main()
