"""A run taken away from the page: link, ready commands, self-contained replay."""
