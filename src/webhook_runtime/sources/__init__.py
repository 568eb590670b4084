"""Who sends: how a request is verified, and what its sender is told."""
