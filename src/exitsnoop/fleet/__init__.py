"""Recordings of many machines as tables: for ClickHouse, DuckDB, and what else reads Parquet."""
