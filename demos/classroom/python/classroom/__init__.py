"""The classroom's part that is Python: it runs in the browser, on the standard library and micrograd alone."""
