"""Who sends: what is known of each provider, and how any other is described."""
