"""The method: simplex diffusion and its ensemble. No networks, no text, no pages."""
