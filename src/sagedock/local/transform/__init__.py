"""Batch Transform played here: objects become requests to a real server, and its answers become objects."""
