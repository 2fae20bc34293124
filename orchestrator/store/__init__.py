"""The status database: SQLite or PostgreSQL, one schema, plain SQL. It knows nothing of Azure."""
