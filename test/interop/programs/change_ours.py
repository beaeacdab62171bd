"""Changes a table that Moraine wrote, as another engine would.

Usage: change_ours.py CATALOG_URI WAREHOUSE TABLE append ROWS_JSON | delete FILTER | overwrite FILTER ROWS_JSON
"""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

uri, warehouse, name, action, *rest = sys.argv[1:]
table = SqlCatalog("local", uri=uri, warehouse=warehouse).load_table(name)


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
