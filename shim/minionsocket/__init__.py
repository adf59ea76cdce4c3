"""`import minionsocket` puts this process's TCP sockets on a minion, without LD_PRELOAD.

It patches the class socket.socket in place and the resolver functions of the module socket, so
that urllib, http.client, ssl, asyncio, socketserver and whatever else stands on them follow.  Which
minion: $MINION, as for libminion.so.  To find libminion.so itself do not import this package; ask
importlib.util.find_spec("minionsocket") for its folder.
"""

from __future__ import annotations

from minionsocket.patching import is_patched, patch, patched, unpatch

__all__ = ["is_patched", "patch", "patched", "unpatch"]

patch()
