"""The system call proxy: messages, the server on the minion, copyin and copyout over the line."""
