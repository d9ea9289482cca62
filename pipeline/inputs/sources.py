"""Several datasets as one listing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from pipeline.errors import DataError
from pipeline.inputs.datasets.entries import Entry, Listing, Skipped
from pipeline.inputs.index import targets_of


def merged(listings: Mapping[str, Listing]) -> Listing:
    """One listing of several sources: files, subjects and sequences bear the source's name before their own.

    Official parts stay when all sources bring them; otherwise none do.

    Raises
    ------
    DataError : a source shares no target with those before it.
    """
    official = all(any(entry.fold for entry in listing.entries) for listing in listings.values())
    first = _check_targets(listings)
    entries = [_named(entry, name, official, first) for name, listing in listings.items() for entry in listing.entries]
    skipped = [
        Skipped(f"{name}/{item.file}", item.reason, item.region)
        for name, listing in listings.items()
        for item in listing.skipped
    ]
    digests = {f"{name}/{file}": sha for name, listing in listings.items() for file, sha in listing.digests.items()}
    return Listing(entries, skipped, digests, _grouping(listings))


def _grouping(listings: Mapping[str, Listing]) -> Mapping[str, Any]:
    """How frames became groups, by source where not all sources say the same."""
    by_source = {name: listing.grouping for name, listing in listings.items() if listing.grouping}
    first = next(iter(by_source.values()), {})
    return first if all(other == first for other in by_source.values()) else {"by": "source", "sources": by_source}


def _named(entry: Entry, source: str, official: bool, first: Collection[str]) -> Entry:
    """The entry as one of its source, the targets that all sources share before the others."""
    regions = {
        name: replace(region, targets=dict(sorted(region.targets.items(), key=lambda item: item[0] not in first)))
        for name, region in entry.regions.items()
    }
    return replace(
        entry,
        file=f"{source}/{entry.file}",
        subject_id=f"{source}/{entry.subject_id}",
        regions=regions,
        fold=entry.fold if official else "",
        source=source,
        companions={modality: f"{source}/{file}" for modality, file in entry.companions.items()},
        sequence=entry.sequence and f"{source}/{entry.sequence}",
    )


def _check_targets(listings: Mapping[str, Listing]) -> Collection[str]:
    """The targets that all sources share; sources that have nothing to be learned together are refused."""
    common: dict[str, None] | None = None
    before: list[str] = []
    for name, listing in listings.items():
        targets = targets_of(listing)
        if not targets:
            raise DataError(f"No picture of {name} can be used: it lists {len(listing.skipped)}, all without a class.")
        left = [target for target in (targets if common is None else common) if target in targets]
        if not left:
            raise DataError(
                f"{' and '.join(before)} and {name} share no target: there {', '.join(common or ())}, "
                f"here {', '.join(targets)}. Give datasets that answer one question: DATA=a,b"
            )
        common = dict.fromkeys(left)
        before.append(name)
    return common or ()
