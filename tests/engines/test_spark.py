"""Spark reads what `exitsnoop export --parquet` writes, as pyarrow does."""

import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
from pyspark.sql import Row, SparkSession
from support.fleet import HOSTS, record_fleet

from exitsnoop.cli import main


def plain(cell: Any) -> Any:
    if isinstance(cell, Row):
        return {name: plain(part) for name, part in cell.asDict().items()}
    if isinstance(cell, list):
        return [plain(one) for one in cell]
    if isinstance(cell, datetime.datetime):
        return cell.astimezone(datetime.timezone.utc)
    return cell


def test_spark_reads_every_field(tmp_path: Path) -> None:
    """The whole directory: date and machine come from the path, what was recorded is left out."""
    for store in record_fleet(tmp_path / "stores"):
        main(["export", "--store", str(store), "--parquet", str(tmp_path / "fleet")])
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    try:
        found = [plain(row) for row in spark.read.parquet(str(tmp_path / "fleet")).collect()]
        covered = spark.read.parquet(str(tmp_path / "fleet" / "_coverage")).collect()
    finally:
        spark.stop()
    table = pyarrow.parquet.read_table(tmp_path / "fleet")
    truth = table.to_pylist()
    assert {row["host"] for row in found} == {*HOSTS}
    assert len(found) == len(truth) > 1000
    for row, one in zip(sorted(found, key=place), sorted(truth, key=place), strict=True):
        assert {**row, "date": str(row["date"])} == {**one, "date": str(one["date"])}
    assert len(covered) == 5 * len(HOSTS)


def place(row: dict[str, Any]) -> tuple[str, int]:
    return row["host"], row["boot_ns"]
