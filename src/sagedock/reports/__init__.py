"""Reports: one self-contained HTML page from figures and tables."""
