"""Made-up training data for the compact models: questions, answers and the documents that hold them."""
