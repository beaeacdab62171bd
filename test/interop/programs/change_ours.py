"""Changes a table that Moraine wrote, as another engine would.

Usage: change_ours.py CATALOG_URI WAREHOUSE TABLE append ROWS_JSON | delete FILTER | overwrite FILTER ROWS_JSON
       change_ours.py CATALOG_URI WAREHOUSE TABLE create-v1      (columns id: long, v: string, by bucket[2](id))
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import LongType, NestedField, StringType

uri, warehouse, name, action, *rest = sys.argv[1:]
catalog = SqlCatalog("local", uri=uri, warehouse=warehouse)
if action == "create-v1":
    catalog.create_table(
        name,
        Schema(NestedField(1, "id", LongType()), NestedField(2, "v", StringType())),
        partition_spec=PartitionSpec(PartitionField(1, 1000, BucketTransform(2), "id_bucket")),
        properties={"format-version": "1"},
    )
    print(json.dumps({}))
    sys.exit()
table = catalog.load_table(name)


def rows(text):
    return pa.Table.from_pylist(json.loads(text), schema=table.schema().as_arrow())


if action == "append":
    table.append(rows(rest[0]))
elif action == "delete":
    table.delete(rest[0])
elif action == "overwrite":
    table.overwrite(rows(rest[1]), overwrite_filter=rest[0])
else:
    sys.exit(f"unknown action {action}")
print(json.dumps({"snapshot_id": str(table.current_snapshot().snapshot_id)}))
