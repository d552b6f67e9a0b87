"""Measures systems on recordings, and firmware on cores and boards."""
