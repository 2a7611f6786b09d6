"""Servers that tests share."""

from tests.serving.conftest import model_base, served

__all__ = ["model_base", "served"]
