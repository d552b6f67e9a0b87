"""Writes what people look at: demo page, listening page, blind test, tables, pictures."""
