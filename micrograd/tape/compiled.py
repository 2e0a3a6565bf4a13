"""Keep compiled functions on disk, so that only the first process on a computer waits for the compiler."""

import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any


def kept_on_disk(compiler: Callable[..., Any], function: Any, *sources: ModuleType, **options: Any) -> Any:
    """``compiler(cache=True, **options)(function)``, under a name that changes with the ``sources`` compiled into it.

    Numba itself looks at the function's own file alone. It keeps code next to that file, or in the user's cache
    directory; where neither can be written to, each process compiles anew.
    """
    function.__qualname__ = f"{function.__name__}_{_version(*sources)}"
    try:
        return compiler(cache=True, **options)(function)
    except RuntimeError:
        return compiler(**options)(function)


@lru_cache
def _version(*sources: ModuleType) -> str:
    return hashlib.sha1("".join(map(inspect.getsource, sources)).encode()).hexdigest()[:12]
