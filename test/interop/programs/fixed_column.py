"""Writes a Parquet file with a column of bytes of a fixed length, which DuckDB cannot: `fixed_column.py PATH`."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

VALUES = [b"\x00\x00\x00\x00", b"\xff\xfe\x00\x01", None]


def column(field_id: int, name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(field_id)})


schema = pa.schema(
    [column(1, "k", pa.int64()), column(2, "at", pa.timestamp("us", "UTC")), column(3, "fixed", pa.binary(4))]
)
count = len(VALUES)
pq.write_table(pa.table([range(count), range(count), VALUES], schema=schema), sys.argv[1])
print(json.dumps(count))
