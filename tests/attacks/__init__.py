"""Seeded attacks on the command line: kills, damage, hostile values, two commands at once, poor surroundings."""
