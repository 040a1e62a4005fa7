"""An ensemble taught on one GPU, and small networks taught by it: what the bundled models come from."""
