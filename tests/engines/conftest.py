"""The layer of the large engines: `make test-fleet` installs ClickHouse's, `make test-spark` Spark.

Without them there is nothing to test here: they are too large to be installed for every change.
"""

from importlib.util import find_spec

_NEEDS = {"test_clickhouse.py": "chdb", "test_spark.py": "pyspark"}
collect_ignore = [file for file, module in _NEEDS.items() if find_spec(module) is None]
