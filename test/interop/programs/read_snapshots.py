"""Reads every snapshot of a table, and prints the ids that each holds. Arguments: catalog uri, warehouse, table, name of the catalog (local)."""

import json
import sys

from pyiceberg.catalog.sql import SqlCatalog

uri, warehouse, name, *catalog = sys.argv[1:]
table = SqlCatalog(*(catalog or ["local"]), uri=uri, warehouse=warehouse).load_table(name)
rows = {
    str(snapshot.snapshot_id): sorted(table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()["id"].to_pylist())
    for snapshot in table.metadata.snapshots
}
print(json.dumps(rows))
