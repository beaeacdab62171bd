"""Writes Parquet files with PyArrow: flat and nested columns, several row groups, both versions of pages, indexes."""
import datetime
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
ROWS = 5000
ids = list(range(ROWS))
start = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
table = pa.table(
    {
        "id": pa.array(ids, pa.int64()),
        "text": pa.array([None if i % 7 == 0 else f"row {i} " * (i % 5) for i in ids], pa.string()),
        "few": pa.array([f"value {i % 11}" for i in ids], pa.string()),
        "point": pa.array(
            [None if i % 13 == 0 else {"x": i * 0.5, "tags": [f"t{i % 3}"] * (i % 4)} for i in ids],
            pa.struct([("x", pa.float64()), ("tags", pa.list_(pa.string()))]),
        ),
        "counts": pa.array([[(f"k{i % 5}", i), ("z", None)] for i in ids], pa.map_(pa.string(), pa.int32())),
        "at": pa.array([start + datetime.timedelta(minutes=i) for i in ids], pa.timestamp("us", tz="UTC")),
        "half": pa.array([None if i % 3 else i / 7 for i in ids], pa.float32()),
        "price": pa.array([i for i in ids], pa.int64()).cast(pa.decimal128(20, 0)),
    }
)
ways = {
    "v1": {"data_page_version": "1.0", "compression": "snappy", "use_dictionary": True},
    "v2": {"data_page_version": "2.0", "compression": "zstd", "use_dictionary": ["few"]},
    "indexed": {"data_page_version": "1.0", "compression": "none", "write_page_index": True, "use_dictionary": False},
}
for name, way in ways.items():
    pq.write_table(table, f"{folder}/{name}.parquet", row_group_size=700, store_schema=True, **way)
print(json.dumps(sorted(ways)))
