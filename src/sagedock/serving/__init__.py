"""Serving: /ping, /invocations and /execution-parameters over HTTP."""
