"""The program of the separate process that an engine runs in: ``isolate`` starts this file by its path.

An engine's package may be called ``micrograd`` as well, and the interpreter may be one where ours is not installed. So
this suite is imported first, from a package ``micrograd`` that is just our folder. Then the name is released: whatever
imports ``micrograd`` after that gets the engine's.
"""

import sys
from pathlib import Path
from types import ModuleType


def main() -> None:
    if sys.version_info < (3, 10):  # noqa: UP036  # any interpreter may run this file
        sys.exit("expected Python 3.10 or later, got {}.{}".format(*sys.version_info[:2]))
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    package = ModuleType("micrograd")
    package.__path__ = [str(here.parent)]
    sys.modules["micrograd"] = package
    from micrograd.conformance import serve  # noqa: PLC0415  # not before the package is there

    for name in [name for name in sys.modules if name.partition(".")[0] == "micrograd"]:
        del sys.modules[name]
    serve.main()


if __name__ == "__main__":
    main()
