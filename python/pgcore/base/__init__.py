"""What everything else stands on: errors, arrays, threads, seeds, versions, provenance."""
