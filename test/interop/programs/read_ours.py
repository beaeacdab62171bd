"""Reads a table that Moraine wrote, and reports rows, partitions, statistics and summaries as PyIceberg sees them.

Usage: read_ours.py CATALOG_URI WAREHOUSE TABLE
TABLE is a name, or a JSON array of its levels when one of them has a dot.
"""
import json
import sys
from collections import defaultdict

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.partitioning import PartitionField

uri, warehouse, name = sys.argv[1:4]
table = SqlCatalog("local", uri=uri, warehouse=warehouse).load_table(
    tuple(json.loads(name)) if name.startswith("[") else name
)


def text(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: text(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [text(one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def check_statistics(task):
    """Compares the manifest entry's statistics with those of the file's own rows."""
    problems = []
    file = task.file
    rows = pq.read_table(file.file_path.removeprefix("file://"))
    if rows.num_rows != file.record_count:
        problems.append(f"record_count {file.record_count} != {rows.num_rows}")
    spec = table.specs()[file.spec_id]
    # As the format has it, columns are found by their ids, whatever the file calls them; an older file lacks new ones.
    columns = {int(f.metadata[b"PARQUET:field_id"]): i for i, f in enumerate(rows.schema)}
    for field in table.schema().fields:
        if not field.field_type.is_primitive or field.field_id not in columns:
            continue
        values = rows.column(columns[field.field_id]).to_pylist()
        present = [v for v in values if v is not None and v == v]
        nulls = sum(v is None for v in values)
        if file.null_value_counts.get(field.field_id) != nulls:
            problems.append(f"{field.name}: null count {file.null_value_counts.get(field.field_id)} != {nulls}")
        if file.value_counts.get(field.field_id) != len(values):
            problems.append(f"{field.name}: value count")
        low, high = file.lower_bounds.get(field.field_id), file.upper_bounds.get(field.field_id)
        if not present:
            continue
        if low is None or high is None:
            problems.append(f"{field.name}: bounds are missing")
            continue
        kind = str(field.field_type)
        low, high = from_bytes(field.field_type, low), from_bytes(field.field_type, high)
        to_iceberg = {
            "date": lambda v: (v - __import__("datetime").date(1970, 1, 1)).days,
            "time": lambda v: ((v.hour * 60 + v.minute) * 60 + v.second) * 1_000_000 + v.microsecond,
        }.get(kind, lambda v: v)
        if kind.startswith("timestamp"):
            import datetime

            def to_iceberg(v):
                epoch = datetime.datetime(1970, 1, 1, tzinfo=v.tzinfo)
                return (v - epoch) // datetime.timedelta(microseconds=1)

        smallest, largest = min(map(to_iceberg, present)), max(map(to_iceberg, present))
        if kind == "uuid":
            low, high = (v.bytes if hasattr(v, "bytes") else v for v in (low, high))
            smallest, largest = (v.bytes if hasattr(v, "bytes") else v for v in (smallest, largest))
        if not (low <= smallest and high >= largest):
            problems.append(f"{field.name}: bounds {low!r}..{high!r} do not hold {smallest!r}..{largest!r}")
        if kind not in ("string", "binary") and not kind.startswith("fixed") and (low, high) != (smallest, largest):
            problems.append(f"{field.name}: bounds {low!r}..{high!r} are not tight: {smallest!r}..{largest!r}")
    for position, part in enumerate(spec.fields):
        source = table.schema().find_field(part.source_id)
        transform = part.transform.transform(source.field_type)
        expected = set()
        for value in rows.column(columns[part.source_id]).to_pylist():
            if value is not None:
                import datetime

                if isinstance(value, datetime.datetime):
                    value = (value - datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)) // datetime.timedelta(microseconds=1)
                elif isinstance(value, datetime.date):
                    value = (value - datetime.date(1970, 1, 1)).days
            expected.add(transform(value))
        if expected != {file.partition[position]}:
            problems.append(f"partition {part.name} is {file.partition[position]!r}, rows say {expected!r}")
    return problems


scan = table.scan()
arrow = scan.to_arrow()
result = {
    "rows": [text(row) for row in arrow.to_pylist()],
    "types": {field.name: str(field.field_type) for field in table.schema().fields},
    "problems": [p for task in scan.plan_files() for p in check_statistics(task)],
    "files": len(list(scan.plan_files())),
    "summaries": [
        {"operation": s.summary.operation.value, **s.summary.additional_properties} for s in table.metadata.snapshots
    ],
    "partitions": [text(row["partition"]) for row in table.inspect.partitions().to_pylist()]
    if table.spec().fields
    else [],
    "sequence_numbers": [s.sequence_number for s in table.metadata.snapshots],
}
print(json.dumps(result))
