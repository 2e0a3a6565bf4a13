"""Record a loss function once, and replay it for whole batches: ``jit``."""

import threading

# Held while parameters are read, changed for a check, or given gradients: several threads may use recorded functions.
LOCK = threading.RLock()
