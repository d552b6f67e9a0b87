"""Generates C from models, patches and tables, and the board facts for CMake."""
