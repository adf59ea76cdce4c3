"""The line between application core and minion: frames, link protocol, rate and noise."""
