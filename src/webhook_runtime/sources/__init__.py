"""Providers: how a request is verified, and what the provider is answered."""
