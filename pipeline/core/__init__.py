"""What every package shares: constants, errors and the command line, files, configuration and run folders."""
