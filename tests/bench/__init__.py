"""Benchmarks of the mirror against its peers; see `python -m tests.bench --help`."""
