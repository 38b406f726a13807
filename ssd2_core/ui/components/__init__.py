"""Parts of the page that several places use: panels, the viewer of a run, downloads."""
