"""The version, for the build and for nobody else: ask importlib.metadata."""

__version__ = "0.1.0"
