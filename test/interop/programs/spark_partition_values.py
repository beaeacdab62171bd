"""Compares partition values of a table of ours with those that Apache Spark computes.

Usage: spark_partition_values.py <iceberg-spark-runtime.jar> <folder> <metadata file> <JSON: name of a partition field -> SQL of its value>.
Prints JSON: the rows (columns id, l, i, s, b, dec, day), and by field the pairs (ours, Spark's) of each row, as texts, in the order of `id`.
"""

import json
import sys

from spark_session import add_table, open_session

jar, folder, metadata, text = sys.argv[1:]
spark = open_session(jar, folder)
add_table(folder, "t", metadata)


def shown(value):
    if value is None:
        return None
    return value.hex() if isinstance(value, (bytes, bytearray)) else str(value)


fields = json.loads(text)
names = [[f"ours{index}", f"spark{index}"] for index in range(len(fields))]
pairs = ", ".join(f"_partition.`{field}` AS {ours}, {sql} AS {spark}" for (field, sql), (ours, spark) in zip(fields.items(), names))
found = spark.sql(f"SELECT id, {pairs} FROM ours.db.t ORDER BY id")
# Python has no points in time before the year 1 of any zone.
texts = [f"CAST({name} AS STRING) AS {name}" if kind.startswith("timestamp") else name for name, kind in found.dtypes]
compared = found.selectExpr(*texts).collect()
values = {field: [[shown(row[ours]), shown(row[spark])] for row in compared] for field, (ours, spark) in zip(fields, names)}
rows = [[shown(value) for value in row] for row in spark.sql("SELECT id, l, i, s, b, dec, day FROM ours.db.t ORDER BY id").collect()]
print(json.dumps({"rows": rows, "values": values}))
