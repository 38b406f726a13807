"""What happens when somebody does something on the page: asks, steers, brings documents or models, fine-tunes."""
