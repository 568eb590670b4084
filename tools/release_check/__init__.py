"""A release, tried before it is one: built, uploaded as the workflow does it, installed from there, and used."""
