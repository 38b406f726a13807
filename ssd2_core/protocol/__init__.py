"""Plain data between page and worker: messages, frames, traces and their checks."""
