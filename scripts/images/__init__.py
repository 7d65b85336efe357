"""Container images: those that a workspace names, and those that are built for it."""
