"""The user-mode gateway: slirp's network without privileges (gateway.py is the way in)."""
