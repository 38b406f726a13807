"""Fine-tuning a visitor's own model on a document: its questions, its loop."""
