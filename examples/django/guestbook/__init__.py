"""A guest book: entries in the database, a form, the admin, and an upload."""
