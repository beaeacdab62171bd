"""Reads tables of ours with Apache Spark: `spark_reads_ours.py <iceberg-spark-runtime.jar> <folder> <name>=<metadata file>...`

Prints, as JSON by name, every row with its row lineage (version 3 only). A Hadoop catalog in `folder` is made to point at the metadata
files, which stay where they are.
"""

import gzip
import json
import sys

from spark_session import add_table, open_session

jar, folder, *tables = sys.argv[1:]
spark = open_session(jar, folder)

answers = {}
for table in tables:
    name, metadata = table.split("=", 1)
    add_table(folder, name, metadata)
    with gzip.open(metadata) as file:
        version = json.load(file)["format-version"]
    lineage = ", _row_id, _last_updated_sequence_number" if version == 3 else ""
    try:
        rows = spark.sql(f"SELECT *{lineage} FROM ours.db.{name} ORDER BY 1, 2").collect()
        deletes = spark.sql(f"SELECT file_format FROM ours.db.{name}.delete_files").collect()
        answers[name] = {
            "rows": [[None if value is None else str(value) for value in row] for row in rows],
            "deleteFormats": sorted(row[0] for row in deletes),
        }
    except Exception as error:
        answers[name] = {"error": str(error)[:2000]}
print(json.dumps(answers))
