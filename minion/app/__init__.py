"""Apps on the minion: machine code in user mode and Python coroutines, on the rump kernel."""
