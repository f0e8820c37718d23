"""Open data in bulk: everything released on a day or in a year, as files for programs and for spreadsheets."""
