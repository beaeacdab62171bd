"""How the column `u`, a uuid, is stored in tables, and how many rows PyIceberg finds by it.

Usage: uuid_column.py UUID METADATA_FILE...
Prints for each table its raw forms, bytes in hexadecimal, and the number of rows for each filter (or the name of the error).
"""
import json
import sys
import uuid

import fastavro
import pyarrow.parquet as pq
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual, In, IsNull, NotNull
from pyiceberg.table import StaticTable

wanted = uuid.UUID(sys.argv[1])
FILTERS = {
    "eq": EqualTo("u", wanted),
    "in": In("u", [wanted, uuid.UUID(int=5)]),
    "ge": GreaterThanOrEqual("u", wanted),
    "null": IsNull("u"),
    "present": NotNull("u"),
}


def hexadecimal(value):
    return None if value is None else (value.bytes if isinstance(value, uuid.UUID) else bytes(value)).hex()


def records(path):
    with open(path.removeprefix("file:"), "rb") as file:
        reader = fastavro.reader(file)
        return json.loads(reader.metadata["avro.schema"]), list(reader)


def child(schema, *names):
    """The type of a nested field; null is left out of unions."""
    for name in names:
        schema = next(field["type"] for field in schema["fields"] if field["name"] == name)
        if isinstance(schema, list):
            [schema] = [kind for kind in schema if kind != "null"]
    return schema


def stored(table):
    column = table.schema().find_field("u").field_id
    partitioned = any(field.source_id == column for field in table.spec().fields)
    forms = {"partition_type": None, "partitions": [], "summaries": [], "bounds": [], "parquet": []}
    for manifest in records(table.current_snapshot().manifest_list)[1]:
        summaries = manifest["partitions"][:1] if partitioned else []
        forms["summaries"] += [[hexadecimal(one["lower_bound"]), hexadecimal(one["upper_bound"])] for one in summaries]
        schema, entries = records(manifest["manifest_path"])
        for entry in entries:
            file = entry["data_file"]
            if partitioned and isinstance(file["partition"].get("u"), (bytes, uuid.UUID, type(None))):
                forms["partitions"].append(hexadecimal(file["partition"].get("u")))
                kind = child(schema, "data_file", "partition", "u") if "u" in file["partition"] else {}
                forms["partition_type"] = [kind.get(key) for key in ("type", "size", "logicalType")]
            bounds = [{one["key"]: one["value"] for one in file[name] or []} for name in ("lower_bounds", "upper_bounds")]
            forms["bounds"].append([hexadecimal(one.get(column)) for one in bounds])
            parquet = pq.ParquetFile(file["file_path"].removeprefix("file:"))
            [place] = [i for i, one in enumerate(parquet.schema.names) if one == "u"]
            leaf = parquet.schema.column(place)
            forms["parquet"].append([leaf.physical_type, leaf.length, str(leaf.logical_type)])
    return forms


def found(table, row_filter):
    try:
        return table.scan(row_filter=row_filter).to_arrow().num_rows
    except Exception as error:  # noqa: BLE001 - an error is an answer, too
        return type(error).__name__


tables = [StaticTable.from_metadata(path) for path in sys.argv[2:]]
print(json.dumps([{**stored(t), "found": {name: found(t, one) for name, one in FILTERS.items()}} for t in tables]))
