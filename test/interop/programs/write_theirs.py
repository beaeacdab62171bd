"""Writes tables with PyIceberg that Moraine must read, and prints what their rows must be.

Usage: write_theirs.py CATALOG_URI WAREHOUSE
Prints {"cases": [{"table", "location"?, "rows", "tag"?, "tag_rows"?}]}; the rows are the literals given to PyIceberg, not a read of it.
"""
import datetime
import decimal
import json
import os
import sys
import uuid

import fastavro
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, MonthTransform, TruncateTransform
from pyiceberg.types import *  # noqa: F403

uri, warehouse = sys.argv[1:3]
catalog = SqlCatalog("local", uri=uri, warehouse=warehouse)
catalog.create_namespace_if_not_exists("theirs")
cases = []
UTC = datetime.timezone.utc


def all_types():
    schema = Schema(
        NestedField(1, "b", BooleanType()), NestedField(2, "i", IntegerType()), NestedField(3, "l", LongType()),
        NestedField(4, "f", FloatType()), NestedField(5, "d", DoubleType()), NestedField(6, "dec", DecimalType(20, 3)),
        NestedField(7, "day", DateType()), NestedField(8, "t", TimeType()), NestedField(9, "ts", TimestampType()),
        NestedField(10, "tz", TimestamptzType()), NestedField(11, "s", StringType()), NestedField(12, "u", UUIDType()),
        NestedField(13, "bin", BinaryType()), NestedField(14, "fix", FixedType(4)),
        NestedField(15, "st", StructType(NestedField(16, "x", IntegerType()), NestedField(17, "y", StringType()))),
        NestedField(18, "li", ListType(19, LongType(), element_required=False)),
        NestedField(20, "ma", MapType(21, StringType(), 22, DoubleType(), value_required=False)),
    )
    table = catalog.create_table("theirs.all_types", schema)
    rows = [
        dict(b=True, i=-7, l=2**62 + 1, f=0.5, d=0.1, dec=decimal.Decimal("-12345678901234567.891"),
             day=datetime.date(1969, 12, 31), t=datetime.time(23, 59, 59, 999999),
             ts=datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), tz=datetime.datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
             s='a "quoted"\nline', u=uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7").bytes, bin=b"\x00\xff", fix=b"\x01\x02\x03\x04",
             st={"x": 1, "y": "y1"}, li=[1, None, -(2**53) - 1], ma=[("k", 1.5), ("n", None)]),
        dict.fromkeys(["b", "i", "l", "f", "d", "dec", "day", "t", "ts", "tz", "s", "u", "bin", "fix", "st", "li", "ma"]),
    ]
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    expected = [
        {"b": True, "i": -7, "l": "4611686018427387905", "f": 0.5, "d": 0.1, "dec": "-12345678901234567.891", "day": "1969-12-31",
         "t": "23:59:59.999999", "ts": "1969-12-31T23:59:59.999999", "tz": "2001-02-03T04:05:06.000007Z", "s": 'a "quoted"\nline',
         "u": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "bin": "00ff", "fix": "01020304", "st": {"x": 1, "y": "y1"},
         "li": [1, None, "-9007199254740993"], "ma": [["k", 1.5], ["n", None]]},
        dict.fromkeys(rows[1]),
    ]
    cases.append({"table": "theirs.all_types", "rows": expected})


def partitioned():
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType()), NestedField(3, "ts", TimestampType()))
    spec = PartitionSpec(
        PartitionField(3, 1000, DayTransform(), "ts_day"), PartitionField(1, 1001, BucketTransform(4), "id_bucket"),
        PartitionField(2, 1002, TruncateTransform(1), "name_trunc"),
    )
    table = catalog.create_table("theirs.partitioned", schema, partition_spec=spec)
    rows = [{"id": n, "name": f"{'abc'[n % 3]}{n}", "ts": datetime.datetime(1969, 12, 30) + datetime.timedelta(hours=7 * n)} for n in range(40)]
    rows.append({"id": None, "name": None, "ts": None})
    for start in (0, 20):
        table.append(pa.Table.from_pylist(rows[start:start + 21] if start else rows[:20], schema=table.schema().as_arrow()))
    text = lambda r: {**r, "ts": r["ts"] and r["ts"].isoformat(timespec="microseconds")}
    cases.append({"table": "theirs.partitioned", "rows": [text(r) for r in rows]})


def evolved():
    schema = Schema(NestedField(1, "a", IntegerType()), NestedField(2, "b", FloatType()), NestedField(3, "gone", StringType()),
                    NestedField(4, "st", StructType(NestedField(5, "old", IntegerType()), NestedField(6, "keep", StringType()))))
    table = catalog.create_table("theirs.evolved", schema)
    table.append(pa.Table.from_pylist([{"a": 1, "b": 0.5, "gone": "x", "st": {"old": 10, "keep": "k1"}}], schema=table.schema().as_arrow()))
    before = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(before, "before").commit()
    with table.update_schema() as update:
        update.rename_column("a", "renamed")
        update.update_column("b", DoubleType())
        update.delete_column("gone")
        update.rename_column("st.old", "new")
        update.add_column(("st", "added"), LongType())
    with table.update_schema() as update:
        update.update_column("renamed", LongType())
        update.add_column("gone", IntegerType())
        update.move_first("gone")
    row = {"gone": 5, "renamed": 2**40, "b": 0.25, "st": {"new": 20, "keep": "k2", "added": 7}}
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
    cases.append({
        "table": "theirs.evolved",
        "rows": [{"gone": None, "renamed": 1, "b": 0.5, "st": {"new": 10, "keep": "k1", "added": None}}, row],
        "tag": "before",
        "tag_rows": [{"a": 1, "b": 0.5, "gone": "x", "st": {"old": 10, "keep": "k1"}}],
    })


def rewritten():
    schema = Schema(NestedField(1, "k", StringType()), NestedField(2, "v", LongType()))
    spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "k"))
    table = catalog.create_table("theirs.rewritten", schema, partition_spec=spec)
    arrow = table.schema().as_arrow()
    table.append(pa.Table.from_pylist([{"k": k, "v": v} for k in "xyz" for v in range(5)], schema=arrow))
    table.delete(GreaterThanOrEqual("v", 3))
    table.overwrite(pa.Table.from_pylist([{"k": "y", "v": 100}], schema=arrow), overwrite_filter=EqualTo("k", "y"))
    rows = [{"k": k, "v": v} for k in "xz" for v in range(3)] + [{"k": "y", "v": 100}]
    cases.append({"table": "theirs.rewritten", "rows": rows})


def spec_evolved():
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "ts", TimestampType()))
    table = catalog.create_table("theirs.spec_evolved", schema, partition_spec=PartitionSpec(PartitionField(2, 1000, MonthTransform(), "ts_month")))
    rows = [{"id": n, "ts": datetime.datetime(2001, 1 + n % 12, 3)} for n in range(24)]
    table.append(pa.Table.from_pylist(rows[:12], schema=table.schema().as_arrow()))
    with table.update_spec() as update:
        update.remove_field("ts_month")
        update.add_field("id", BucketTransform(3), "id_bucket")
    table.append(pa.Table.from_pylist(rows[12:], schema=table.schema().as_arrow()))
    cases.append({"table": "theirs.spec_evolved", "rows": [{**r, "ts": r["ts"].isoformat(timespec="microseconds")} for r in rows]})


def version_one():
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType()))
    table = catalog.create_table("theirs.version_one", schema, properties={"format-version": "1"})
    rows = [{"id": n, "name": f"n{n}"} for n in range(10)]
    for start in (0, 5):
        table.append(pa.Table.from_pylist(rows[start:start + 5], schema=table.schema().as_arrow()))
    cases.append({"table": "theirs.version_one", "rows": rows})


def version_one_of_old():
    """The table of version_one as early writers left it: once with manifests in the metadata, once with a list without counts."""
    table = catalog.load_table("theirs.version_one")
    rows = [{"id": n, "name": f"n{n}"} for n in range(10)]
    snapshot = table.current_snapshot()
    path = table.metadata_location.removeprefix("file://")
    with open(path) as file:
        metadata = json.load(file)
    # Fields that version 1 did not have at first.
    for name in ("schemas", "current-schema-id", "partition-specs", "default-spec-id", "sort-orders", "default-sort-order-id",
                 "last-partition-id", "table-uuid", "refs", "metadata-log", "statistics", "partition-statistics"):
        metadata.pop(name, None)
    metadata["schema"] = {"type": "struct", "fields": [
        {"id": 1, "name": "id", "required": False, "type": "long"}, {"id": 2, "name": "name", "required": False, "type": "string"},
    ]}
    metadata["partition-spec"] = []
    manifests = [manifest.manifest_path for manifest in snapshot.manifests(table.io)]
    list_path = snapshot.manifest_list.removeprefix("file://")
    with open(list_path, "rb") as file:
        reader = fastavro.reader(file)
        schema, records = reader.writer_schema, list(reader)
    kept = {"manifest_path", "manifest_length", "partition_spec_id", "added_snapshot_id"}
    bare = {**schema, "fields": [field for field in schema["fields"] if field["name"] in kept]}
    bare.pop("__fastavro_parsed__", None)
    bare_path = list_path.replace("snap-", "bare-")
    with open(bare_path, "wb") as file:
        fastavro.writer(file, bare, [{name: record[name] for name in kept} for record in records])
    for kind, change in (("inline", {"manifests": manifests}), ("bare", {"manifest-list": bare_path})):
        old = {k: v for k, v in next(s for s in metadata["snapshots"] if s["snapshot-id"] == snapshot.snapshot_id).items()
               if k in ("snapshot-id", "timestamp-ms", "summary")}
        copy = path.replace(".metadata.json", f"-{kind}.metadata.json")
        with open(copy, "w") as file:
            json.dump({**metadata, "snapshots": [{**old, **change}]}, file)
        cases.append({"table": f"version_one {kind}", "location": copy, "rows": rows})


def version_three():
    """A table of PyIceberg's as version 3: row lineage in every layer, a nanosecond column, and a default for rows written before it."""
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "v", StringType()))
    table = catalog.create_table("theirs.version_three", schema)
    rows = [{"id": n, "v": f"n{n}"} for n in range(10)]
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    snapshot = table.current_snapshot()
    path, list_path = table.metadata_location.removeprefix("file://"), snapshot.manifest_list.removeprefix("file://")

    def rewrite(path, copy, change):
        with open(path, "rb") as file:
            reader = fastavro.reader(file)
            schema, records, metadata = reader.writer_schema, list(reader), dict(reader.metadata)
        change(schema, records)
        kept = {key: value for key, value in metadata.items() if not key.startswith("avro.")}
        with open(copy, "wb") as file:
            fastavro.writer(file, fastavro.parse_schema(schema, _force=True), records, codec="deflate", metadata={**kept, "format-version": "3"})

    def lineage_of_files(schema, records):
        fields = next(field for field in schema["fields"] if field["name"] == "data_file")["type"]["fields"]
        for name, field_id, kind in (("first_row_id", 142, "long"), ("referenced_data_file", 143, "string"),
                                     ("content_offset", 144, "long"), ("content_size_in_bytes", 145, "long")):
            fields.append({"name": name, "type": ["null", kind], "default": None, "field-id": field_id})
        for record in records:
            record["data_file"].update(first_row_id=None, referenced_data_file=None, content_offset=None, content_size_in_bytes=None)

    def lineage_of_manifests(schema, records):
        schema["fields"].append({"name": "first_row_id", "type": ["null", "long"], "default": None, "field-id": 520})
        for record in records:
            copy = record["manifest_path"].removeprefix("file://").replace(".avro", "-v3.avro")
            rewrite(record["manifest_path"].removeprefix("file://"), copy, lineage_of_files)
            record.update(manifest_path=copy, manifest_length=os.path.getsize(copy), first_row_id=0)

    list_copy = list_path.replace(".avro", "-v3.avro")
    rewrite(list_path, list_copy, lineage_of_manifests)
    with open(path) as file:
        metadata = json.load(file)
    metadata["format-version"] = 3
    metadata["next-row-id"] = 10
    for field in ({"id": 3, "name": "late", "required": False, "type": "long", "initial-default": 2**53 + 1, "write-default": 0},
                  {"id": 4, "name": "at", "required": False, "type": "timestamp_ns"}):
        metadata["schemas"][0]["fields"].append(field)
    metadata["last-column-id"] = 4
    metadata["snapshots"][0].update({"manifest-list": list_copy, "first-row-id": 0, "added-rows": 10})
    copy = path.replace(".metadata.json", "-v3.metadata.json")
    with open(copy, "w") as file:
        json.dump(metadata, file)
    cases.append({"table": "version three", "location": copy, "rows": [{**row, "late": str(2**53 + 1), "at": None} for row in rows]})


def empty():
    catalog.create_table("theirs.empty", Schema(NestedField(1, "id", LongType())))
    cases.append({"table": "theirs.empty", "rows": []})


for make in (all_types, partitioned, evolved, rewritten, spec_evolved, version_one, version_one_of_old, version_three, empty):
    make()
print(json.dumps({"cases": cases}))
