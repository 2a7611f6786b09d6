"""Bytes to tables and predictions to bytes; nothing above this package sees the bytes of a record."""
