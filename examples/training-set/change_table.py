"""What another engine does to the table meanwhile: a correction, a deletion, a compaction and the expiry of old snapshots.

Needs pyiceberg[sql-sqlite,pyarrow]. Usage: python change_table.py
"""
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo

here = Path.cwd()
catalog = SqlCatalog("local", uri=f"sqlite:///{here}/.moraine/catalog.db", warehouse=f"{here}/warehouse")
table = catalog.load_table("plant.readings")


def files() -> int:
    return table.inspect.files().num_rows


# Machine 1 was measured with a wrong calibration: its rows are replaced by ones that are five degrees warmer.
wrong = table.scan(row_filter=EqualTo("machine_id", 1)).to_arrow()
position = wrong.schema.get_field_index("temperature")
warmer = pa.array([value + 5 for value in wrong["temperature"].to_pylist()], wrong.schema.field(position).type)
table.overwrite(wrong.set_column(position, wrong.schema.field(position), warmer), EqualTo("machine_id", 1))

table.delete(EqualTo("machine_id", 3))
print(f"updated: {table.scan().count()} rows in {files()} files")

# PyIceberg has no procedure for compaction: every row is written again, in place of all files.
table.overwrite(table.scan().to_arrow())
print(f"compacted: {table.scan().count()} rows in {files()} files")

# Snapshots that no tag or branch holds are expired.
table.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
print(f"expired: {len(table.snapshots())} snapshots left, held by {sorted(table.refs())}")
