"""Writes instruments as self-contained C libraries for other build systems, and as model files."""
