"""The page: what a visitor sees. Knows the messages of the protocol and nothing of torch or models."""
