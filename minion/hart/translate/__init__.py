"""The block translator: machine code to Python functions, by way of the semantics' own source."""
