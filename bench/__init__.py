"""Benchmarks: ``python -m bench --help``. They measure and report; they never fail a build."""
