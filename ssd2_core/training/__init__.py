"""Training of the compact models: made-up data, tokenizer, losses, the loop and its recipes."""
