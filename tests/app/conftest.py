"""The venue on loopback that `follow` is tested with."""

from tests.loaders.test_follow import venue

__all__ = ["venue"]
