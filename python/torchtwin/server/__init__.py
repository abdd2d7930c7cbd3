"""The Jupyter server's part. Never imports torch, and nothing from the kernel's part."""

from __future__ import annotations

from torchtwin.server.app import TorchtwinApp

__all__ = ["TorchtwinApp"]
