"""Names of files and folders that a file system takes, whatever they are made of."""

from __future__ import annotations

import hashlib
import re

MOST_BYTES = 160  # of 255: prefixes, fingerprints and suffixes join a name
OF_FOLD = re.compile(r"-cv(?:[0-9]+|subject)-[0-9]+$")  # as `pipeline.config.SplitConfig.suffix` writes it


def bounded(name: str) -> str:
    """The name itself, or, of one that is too long, its beginning and 8 digits of a hash of the whole."""
    written = name.encode(errors="surrogateescape")
    if len(written) <= MOST_BYTES:
        return name
    return f"{written[: MOST_BYTES - 9].decode(errors='ignore')}-{hashlib.sha256(written).hexdigest()[:8]}"


def without_fold(slug: str) -> str:
    """What the artifacts of all outer folds are called that differ in their fold alone."""
    return OF_FOLD.sub("", slug)
