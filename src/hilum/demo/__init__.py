"""One day of a hospital, played against a server of its own by peers that are separate processes."""

from hilum.demo.play import play

__all__ = ["play"]
