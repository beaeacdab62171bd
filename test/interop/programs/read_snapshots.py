"""Reads every snapshot of a table, and prints the ids that each holds. Arguments: catalog uri, warehouse, table."""

import json
import sys

from pyiceberg.catalog.sql import SqlCatalog

uri, warehouse, name = sys.argv[1:]
table = SqlCatalog("local", uri=uri, warehouse=warehouse).load_table(name)
rows = {
    str(snapshot.snapshot_id): sorted(table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()["id"].to_pylist())
    for snapshot in table.metadata.snapshots
}
print(json.dumps(rows))
