"""Record a loss function once, and replay it for whole batches: ``jit``."""
