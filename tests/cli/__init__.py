"""The command line: options, messages, start-up lines."""
