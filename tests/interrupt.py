"""Ctrl-C at a chosen moment, for tests of what it leaves behind."""

import inspect
import sys


def interrupted_at(call, function):
    """Call it, with KeyboardInterrupt at that place within where Python looks for it, if it has so many of them: where
    a function begins, and after each call. Whether it ran to its end.
    """
    count = 0

    def profile(frame, event, _):
        nonlocal count
        begins = event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR
        if (begins or event == "c_return") and frame.f_globals.get("__name__", "").startswith("micrograd."):
            count += 1
            if count == call:
                raise KeyboardInterrupt

    try:
        sys.setprofile(profile)
        function()
    except KeyboardInterrupt:
        return False
    finally:
        sys.setprofile(None)
    return True


def interrupted_at_line(line, function):
    """Call it, with KeyboardInterrupt before that line, counted from 1, of the lines of the package that it runs.

    Whether it ran to its end.
    """
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith("micrograd."):
            return None
        if event == "line":
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    try:
        sys.settrace(trace)
        function()
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(before)
    return True


def require_whole_or_not(prepare, change, state):
    """At whichever line ``change(thing)`` is interrupted, ``state(thing)`` is the one before or the one after.

    ``prepare`` makes a new thing for each line.
    """
    thing = prepare()
    before = state(thing)
    change(thing)
    after = state(thing)
    assert before != after
    line, whole = 0, False
    while not whole:
        line += 1
        thing = prepare()
        whole = interrupted_at_line(line, lambda thing=thing: change(thing))
        assert state(thing) in (before, after), f"line {line}"
    assert state(thing) == after
    assert line > 2
