"""What makes the tables of a fleet: CREATE statements for ClickHouse and DuckDB."""

from collections.abc import Sequence

from exitsnoop.fleet.columns import EXITS, Column, Type
from exitsnoop.fleet.covered import BESIDE, COVERAGE

DAYS = 30
"""How long ClickHouse keeps exits; twice as long what was recorded."""
KEY = ("cluster", "namespace", "workload", "cause", "time", "host_id", "boot_id", "pid", "tid")
"""How ClickHouse orders exits: rows that are alike in these are the same exit, sent twice."""
COVERAGE_KEY = ("cluster", "host_id", "kind", "from_time")
SAME = "host_id, boot_id, boot_ns, pid, tid"
"""What identifies an exit among all machines."""

_CLICKHOUSE = {
    "time": "DateTime64(6, 'UTC')",
    "word": "LowCardinality(String)",
    "text": "String",
    "uuid": "UUID",
    "int": "Int64",
    "float": "Float64",
    "flag": "Bool",
}


def clickhouse() -> str:
    """Return the statements for ClickHouse.

    An unknown text is "" there, an unknown list []: a column that may be NULL costs more.
    """
    return f"""\
-- For ClickHouse. exitsnoop made this from its fields: docs/fleet.md.
-- A text that is unknown is '', a list that is unknown []; other unknown values are NULL.
CREATE TABLE IF NOT EXISTS exits
(
{_listed(EXITS)}
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(time)
ORDER BY ({", ".join(KEY)})
TTL toDateTime(time) + INTERVAL {DAYS} DAY;

-- What was recorded on each machine, and what not. A stretch that grew replaces the shorter one.
CREATE TABLE IF NOT EXISTS coverage
(
{_listed(COVERAGE)}
)
ENGINE = ReplacingMergeTree(to_time)
PARTITION BY toYYYYMM(from_time)
ORDER BY ({", ".join(COVERAGE_KEY)})
TTL toDateTime(to_time) + INTERVAL {2 * DAYS} DAY;
"""


def _listed(columns: Sequence[Column]) -> str:
    return ",\n".join(
        f"    `{column.name}` {_of_clickhouse(column)} {_codec(column)} "
        f"COMMENT {_literal(column.meaning)}"
        for column in columns
    )


def _of_clickhouse(column: Column) -> str:
    word = _nested(column.type)
    may_be_null = column.type.name in ("int", "float", "flag", "time")
    return f"Nullable({word})" if column.optional and may_be_null else word


def _nested(type_: Type) -> str:
    if type_.name == "list":
        return f"Array({_nested(type_.of[0])})"
    if type_.name == "record":
        return f"Tuple({', '.join(f'{name} {_part(part)}' for name, part in type_.of)})"
    return _CLICKHOUSE[type_.name]


def _part(type_: Type) -> str:
    return f"Nullable({_nested(type_)})"


def _codec(column: Column) -> str:
    ascends = column.type.name == "time" or column.name.endswith("_ns")
    return "CODEC(Delta, ZSTD(1))" if ascends else "CODEC(ZSTD(1))"


def duckdb(directory: str) -> str:
    """Return the statements for DuckDB, which reads the Parquet files below a directory."""
    return f"""\
-- For DuckDB. The views read the Parquet files; an exit that was exported twice is there once.
CREATE OR REPLACE VIEW exits AS
SELECT * FROM read_parquet({_literal(f"{directory}/date=*/host=*/*.parquet")},
    hive_types = {{'date': DATE, 'host': VARCHAR}}, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY {SAME}) = 1;

-- What was recorded on each machine, and what not. A stretch that grew is there once.
CREATE OR REPLACE VIEW coverage AS
SELECT * FROM read_parquet({_literal(f"{directory}/{BESIDE}/date=*/host=*/*.parquet")},
    hive_types = {{'date': DATE, 'host': VARCHAR}}, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY {", ".join(COVERAGE_KEY)} ORDER BY to_time DESC) = 1;
"""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
