"""The rows of tables that Apache Spark wrote, as another engine reads them.

Usage: read_spark_tables.py pyiceberg|duckdb METADATA_FILE...
  Prints a list with an object for each table: {"rows"} or {"error"}. A row is an object by column name whose values are
  written as in test/fixtures/spark/expected.json.
"""
import datetime
import decimal
import json
import sys
import uuid

from read_worlds import duckdb, pyiceberg


def plain(value):
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime.datetime):
        zone = "" if value.tzinfo is None else "Z"
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + zone
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def attempt(read, path):
    try:
        return {"rows": [plain(row) for row in read(path).to_pylist()]}
    except Exception as error:  # noqa: BLE001 - what an engine refuses is part of the answer
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    reader = {"pyiceberg": pyiceberg, "duckdb": duckdb}[sys.argv[1]]()
    print(json.dumps([attempt(reader, path) for path in sys.argv[2:]]))
