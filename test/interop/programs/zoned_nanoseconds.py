"""Zoned nanoseconds, written and read by PyArrow.

Usage: zoned_nanoseconds.py write CATALOG_URI WAREHOUSE
  Makes z.events, a version 3 table, and prints {"location", "rows"}: the rows are the literals given to PyArrow, their
  texts made by whole numbers.
Usage: zoned_nanoseconds.py read FILE FORMAT
  Prints {"types", "rows"} of a Parquet file or an Arrow stream; times are counts of nanoseconds as text.
"""
import datetime
import json
import os
import re
import sqlite3
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq

NANOS = pa.timestamp("ns", "UTC")
LARGEST = 2**63 - 1


def text(ns):
    if ns is None:
        return None
    seconds, rest = divmod(ns, 10**9)
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{time.isoformat()}.{rest:09d}Z"


def record(row):
    """A row as JSON Lines give it."""
    nested = row["s"]
    return {
        "id": row["id"], "at": text(row["at"]),
        "s": None if nested is None else {"x": text(nested["x"]), "l": None if nested["l"] is None else [text(ns) for ns in nested["l"]]},
        "m": None if row["m"] is None else [[key, text(ns)] for key, ns in row["m"]],
        "v": row["v"], "late": "2001-02-03T04:05:06.000000007Z",
    }


def write(uri, warehouse):
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.io.pyarrow import schema_to_pyarrow
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.schema import Schema
    from pyiceberg.typedef import Record
    from pyiceberg.types import ListType, LongType, MapType, NestedField, StringType, StructType, TimestamptzType

    time = TimestamptzType()
    schema = Schema(
        NestedField(1, "id", LongType()), NestedField(2, "at", time),
        NestedField(3, "s", StructType(NestedField(4, "x", time), NestedField(5, "l", ListType(6, time, element_required=False)))),
        NestedField(7, "m", MapType(8, StringType(), 9, time, value_required=False)),
        NestedField(10, "v", LongType()), NestedField(11, "late", time),
    )

    base = 1_700_000_000_123_456_789
    exact = [dict(id=n, at=base + n, s={"x": -base - n, "l": [base, None, n]}, m=[("k", base + n), ("n", None)], v=n % 2) for n in range(40)]
    times = [LARGEST, LARGEST - 1, -LARGEST - 1, -LARGEST, -LARGEST + 1, -9223286400000000001, -9223286400000000000, -1, 0, 1, None]
    edges = [dict(id=100 + n, at=ns, s=None if ns is None else {"x": ns, "l": []}, m=None, v=n) for n, ns in enumerate(times)]
    # What another writer may have put there; given in microseconds.
    micros = [dict(id=200, at=1_700_000_000_123_456, s={"x": -1, "l": [1]}, m=[], v=7)]
    same = [dict(id=200, at=1_700_000_000_123_456_000, s={"x": -1000, "l": [1000]}, m=[], v=7)]

    catalog = SqlCatalog("local", uri=uri, warehouse=warehouse)
    catalog.create_namespace("z")
    # PyIceberg writes no version 3: the table is made as version 2, with microseconds, and raised afterwards.
    table = catalog.create_table("z.events", schema)
    columns_of = lambda text: schema_to_pyarrow(Schema.model_validate_json(text).select("id", "at", "s", "m", "v"))  # noqa: E731
    written = table.schema().model_dump_json()
    micro_columns, nano_columns = columns_of(written), columns_of(written.replace('"timestamptz"', '"timestamptz_ns"'))
    folder = table.location().removeprefix("file://") + "/data"
    os.makedirs(folder, exist_ok=True)
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as append:
        for name, rows, columns in (("exact", exact, nano_columns), ("edges", edges, nano_columns), ("micros", micros, micro_columns)):
            path = f"{folder}/{name}.parquet"
            arrays = [pa.array([row[field.name] for row in rows], field.type) for field in columns]
            pq.write_table(pa.Table.from_arrays(arrays, schema=columns), path, row_group_size=10)
            known = [row["at"] for row in (same if name == "micros" else rows) if row["at"] is not None]
            append.append_data_file(DataFile.from_args(
                content=DataFileContent.DATA, file_path=path, file_format=FileFormat.PARQUET, partition=Record(),
                record_count=len(rows), file_size_in_bytes=os.path.getsize(path), spec_id=0,
                lower_bounds={2: struct.pack("<q", min(known))}, upper_bounds={2: struct.pack("<q", max(known))}))
    path = catalog.load_table("z.events").metadata_location.removeprefix("file://")
    with open(path) as file:
        metadata = json.loads(file.read().replace('"timestamptz"', '"timestamptz_ns"'))
    metadata.update({"format-version": 3, "next-row-id": 0})
    late = next(field for field in metadata["schemas"][0]["fields"] if field["name"] == "late")
    late["initial-default"] = "2001-02-03T04:05:06.000000007+00:00"
    raised = path.replace(".metadata.json", "-v3.metadata.json")
    with open(raised, "w") as file:
        json.dump(metadata, file)
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE iceberg_tables SET metadata_location = ? WHERE table_name = 'events'", (raised,))
    return {"location": raised, "rows": [record(row) for row in exact + edges + same]}


def counts(array):
    """Times as counts of nanoseconds at any depth, every number as text."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return counts(array.cast(pa.int64()))
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: counts(array.field(i)) for i in range(kind.num_fields)}
        return [None if null else {name: values[i] for name, values in fields.items()} for i, null in enumerate(array.is_null().to_pylist())]
    if pa.types.is_map(kind):
        return [None if one is None else [[key, value] for key, value in zip(counts(one.field(0)), counts(one.field(1)))]
                for one in (scalar.values if scalar.is_valid else None for scalar in array)]
    if pa.types.is_list(kind):
        return [None if not scalar.is_valid else counts(scalar.values) for scalar in array]
    return [None if value is None else str(value) for value in array.to_pylist()]


def read(path, kind):
    table = pq.read_table(path) if kind == "parquet" else pa.ipc.open_stream(path).read_all()
    columns = {name: counts(table[name].combine_chunks()) for name in table.column_names}
    rows = [{name: values[i] for name, values in columns.items()} for i in range(table.num_rows)]
    return {"types": {field.name: re.sub(r" \('\w+'\)", "", str(field.type)) for field in table.schema}, "rows": rows}


command, *arguments = sys.argv[1:]
print(json.dumps({"write": write, "read": read}[command](*arguments)))
