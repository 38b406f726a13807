"""The recipe of David: a small causal LM that reads a document, and keeps quiet where the document does not answer."""
