"""The training flow, the same for every algorithm."""
