"""The tests, a package: some wheels bring a `tests` of their own, which would stand before a folder that is none."""
