"""What people look at: tables, and a page of figures for a sweep."""
