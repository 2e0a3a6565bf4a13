"""What any scalar autodiff engine must get right, as a suite that grades one.

From a shell, ``python -m micrograd.conformance my_engine:Value``; in a notebook, ``check(Value)``; as tests,
``pytest --pyargs micrograd.conformance --engine my_engine:Value``. To read: ``cases`` (what is right, and why),
``adapter`` (the cases in an engine's words), ``run`` (one case on one engine).
"""

from micrograd.conformance import cases
from micrograd.conformance.notebook import check

__all__ = ["VERSION", "check"]

#: The version of the cases: a grade counts together with it.
VERSION = cases.VERSION
