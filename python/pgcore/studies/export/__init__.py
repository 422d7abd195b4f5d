"""Export: the numbers of a study as one tidy table, for other programs and for papers."""
