"""Real programs on minions: fixtures are in tests/support."""

from __future__ import annotations

from fixtures import files, line, plain_user, server, user_world, world

__all__ = ["files", "line", "plain_user", "server", "user_world", "world"]
