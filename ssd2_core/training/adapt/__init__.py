"""Adapting a pretrained language model to simplex diffusion."""
