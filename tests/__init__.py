"""The tests. A package, lest one of that name which a dependency installs (neurokit2 does) be taken for it."""
