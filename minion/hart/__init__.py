"""The RISC-V hart: state, decoding, semantics, engines."""
