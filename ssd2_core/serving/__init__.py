"""Requests answered in the background: the engine on the page's side, the worker on the models'."""
