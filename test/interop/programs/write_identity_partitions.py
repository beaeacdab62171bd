"""Writes tables with identity partitions with PyIceberg, in folders `COLUMN=VALUE` that a reader of folder names takes for other values.

Usage: write_identity_partitions.py CATALOG_URI WAREHOUSE
Prints {table: rows}; the rows are the values given to PyIceberg, not a read of it. Bytes are written as hexadecimal digits, zeros of
floats with their sign.
"""
import datetime as dt
import decimal
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import *  # noqa: F403

uri, warehouse = sys.argv[1:3]
catalog = SqlCatalog("local", uri=uri, warehouse=warehouse)
catalog.create_namespace("p")
AT = dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)
written = {}

TEXTS = ["a b", "a+b", "null", "NULL", "__HIVE_DEFAULT_PARTITION__", "-0", "", "a/b", "a=b", "%20", "1e3", "é漢😀", "q'\"", "tab\tend\n", None]
TYPES = [
    ("b", BooleanType(), [True, False]), ("i", IntegerType(), [-7, 0]), ("l", LongType(), [-(2**63), 2**53 + 1]),
    ("f", FloatType(), [0.5, -0.0]), ("x", DoubleType(), [-0.0, 1e300]),
    ("amount", DecimalType(20, 3), [decimal.Decimal("-12345678901234567.891"), decimal.Decimal("0.000")]),
    ("day", DateType(), [dt.date(1969, 12, 31), dt.date(2001, 2, 3)]), ("t", TimeType(), [dt.time(23, 59, 59, 999999), dt.time(0)]),
    ("ts", TimestampType(), [dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(2001, 1, 1)]),
    ("tz", TimestamptzType(), [dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.timezone.utc), AT]),
    ("bin", BinaryType(), [b"ab", b""]),
]


def text(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
    if isinstance(value, dt.time):
        return value.isoformat(timespec="microseconds")
    return value if value is None or isinstance(value, bool) else str(value)


def identity(schema, *names):
    return PartitionSpec(*(PartitionField(schema.find_field(n).field_id, 1000 + i, IdentityTransform(), n) for i, n in enumerate(names)))


def append(name, rows):
    table = catalog.load_table(name)
    table.append(pa.Table.from_pylist(rows, schema=schema_to_pyarrow(table.schema(), include_field_ids=False)))
    written.setdefault(name, []).extend({column: text(value) for column, value in row.items()} for row in rows)


def table_of(name, columns, partitions, version=2):
    fields = [("id", LongType()), ("at", TimestamptzType()), *columns]
    schema = Schema(*(NestedField(index + 1, column, kind) for index, (column, kind) in enumerate(fields)))
    spec = identity(schema, *partitions)
    catalog.create_table(name, schema, partition_spec=spec, properties={"format-version": str(version)})


def texts(start, values, **more):
    return [{"id": start + index, "at": AT, "v": value, **more} for index, value in enumerate(values)]


STRING = [("v", StringType())]
table_of("p.texts", STRING, ["v"])
append("p.texts", texts(1, TEXTS))

table_of("p.typed", [(column, kind) for column, kind, _ in TYPES], [column for column, _, _ in TYPES])
append("p.typed", [{"id": n + 1, "at": AT, **{column: values[n] if n < 2 else None for column, _, values in TYPES}} for n in range(3)])

# Nobody writes fixed columns again, so they have a table of their own.
table_of("p.fixed", [("v", FixedType(2))], ["v"])
append("p.fixed", texts(1, [b"ab", b"\x00\xff", None]))

for version in (1, 2):
    name = f"p.dropped_v{version}"
    table_of(name, [*STRING, ("w", IntegerType())], ["v", "w"], version)
    append(name, texts(1, ["a b", "null"], w=7))
    with catalog.load_table(name).update_spec() as update:
        update.remove_field("v")
    append(name, texts(11, ["-0", "a=b"], w=-8))

table_of("p.void_alone", STRING, ["v"], 1)
with catalog.load_table("p.void_alone").update_spec() as update:
    update.remove_field("v")
append("p.void_alone", texts(1, ["a b", "null"]))

table_of("p.added", STRING, [])
append("p.added", texts(1, ["a b", "null"]))
with catalog.load_table("p.added").update_spec() as update:
    update.add_field("v", IdentityTransform(), "v")
append("p.added", texts(11, ["-0", None]))

print(json.dumps(written))
