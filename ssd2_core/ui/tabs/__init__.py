"""The tabs under the studio, one module each."""
