"""Writes the C that is generated from models, patches and tables."""
