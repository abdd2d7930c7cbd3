"""The version of the package, written at build time."""

try:
    from torchtwin._version import __version__
except ImportError:  # a source tree that was never built
    __version__ = "0.0.0"

__all__ = ["__version__"]
