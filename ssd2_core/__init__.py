"""SSD-2 Studio: a large and small diffusion language models write one answer together."""
