"""The command line, one module per group of commands. Results go to stdout, everything else to stderr."""
