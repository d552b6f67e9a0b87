"""The HTML pages and pictures: demo, listening page, blind test, cost tables."""
