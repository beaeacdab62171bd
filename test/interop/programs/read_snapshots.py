"""Reads every snapshot of a table, and prints the ids that each holds. Arguments: properties of the catalog and its storage as JSON, table."""

import json
import sys

from catalogs import open_catalog

table = open_catalog(json.loads(sys.argv[1])).load_table(sys.argv[2])
rows = {
    str(snapshot.snapshot_id): sorted(table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()["id"].to_pylist())
    for snapshot in table.metadata.snapshots
}
print(json.dumps(rows))
