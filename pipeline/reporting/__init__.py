"""The report: models brought together, compared, drawn, tabled, put into words and onto one page."""
