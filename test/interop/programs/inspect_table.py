"""What PyIceberg sees of a table: its rows, the delete files that it lists, and figures counted over its manifests.

Usage: inspect_table.py CATALOG_URI WAREHOUSE TABLE
Rows are the sorted values of the column `id`, or the error of a table that PyIceberg refuses to read.
"""
import json
import math
import sys
from itertools import groupby

from pyiceberg.catalog.sql import SqlCatalog

uri, warehouse, name = sys.argv[1:4]
table = SqlCatalog("local", uri=uri, warehouse=warehouse).load_table(name)
TARGET = int(table.properties.get("write.target-file-size-bytes", 512 * 1024 * 1024))

files = table.inspect.files().to_pylist()
data = [file for file in files if file["content"] == 0]
deletes = [file for file in files if file["content"] != 0]


def partition(file):
    return json.dumps([file["spec_id"], file.get("partition")], default=str, sort_keys=True)


packs = [
    [file["file_size_in_bytes"] for file in group] for _, group in groupby(sorted(data, key=partition), key=partition)
]
rows = sum(file["record_count"] for file in data)
snapshots = sorted(snapshot.timestamp_ms for snapshot in table.metadata.snapshots)
figures = {
    "dataFiles": len(data),
    "dataBytes": sum(map(sum, packs)),
    "rows": rows,
    "partitions": len(packs),
    "amplification": len(data) / sum(max(1, math.ceil(sum(pack) / TARGET)) for pack in packs),
    "smallFiles": sum(size < TARGET * 3 / 4 for pack in packs if len(pack) > 1 for size in pack),
    "deleteFiles": len(deletes),
    "deleteRatio": sum(file["record_count"] for file in deletes) / rows,
    "manifests": len(table.inspect.manifests()),
    "snapshots": len(snapshots),
    "oldestSnapshotMs": snapshots[0],
    "currentSnapshotMs": table.current_snapshot().timestamp_ms,
}
try:
    ids = sorted(table.scan().to_arrow()["id"].to_pylist())
except Exception as error:  # noqa: BLE001 - what PyIceberg refuses is part of the answer
    ids = f"{type(error).__name__}: {error}"
listed = sorted([file["content"], file["file_path"].rsplit("/", 1)[-1], file["record_count"]] for file in deletes)
print(json.dumps({"rows": ids, "deletes": listed, "figures": figures}))
