"""Recordings: reading and checking them, their features, the rendered corpus, and the LPC anchor."""
