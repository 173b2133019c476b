"""Power sources: one file a chip, a driver or a server."""
