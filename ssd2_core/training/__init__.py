"""Training of the compact models: synthetic data, tokenizer, losses, the loop and its recipes."""
