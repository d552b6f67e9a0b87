"""Ablations: grids of settings, sources and seeds, trained and measured, and their tables."""
