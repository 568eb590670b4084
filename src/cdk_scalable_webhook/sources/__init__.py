"""Providers: a record for each known one, and how to describe any other."""
