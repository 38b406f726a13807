"""Text on its way to token ids and back: prompts and documents."""
