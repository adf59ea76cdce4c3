"""The application core's side: control socket, channels, and the driver of the line."""
