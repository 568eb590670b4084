"""The version, for the build alone. Everything else asks importlib.metadata."""

__version__ = "0.1.0"
