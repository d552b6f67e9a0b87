"""What every package shares: constants, errors, options, files, configuration and run folders."""
