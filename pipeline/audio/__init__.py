"""Recordings: loading, checks, features, the rendered corpus and the LPC anchors."""
