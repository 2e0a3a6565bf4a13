"""Record a loss function once, and replay it for whole batches: ``jit``. README.md beside this file shows the way."""
