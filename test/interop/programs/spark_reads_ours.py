"""Reads tables of ours with Apache Spark: `spark_reads_ours.py <iceberg-spark-runtime.jar> <folder> <name>=<metadata file>...`

Prints, as JSON by name, every row with its row lineage (version 3 only). A Hadoop catalog in `folder` is made to point at the metadata
files, which stay where they are.
"""

import gzip
import json
import os
import shutil
import sys

from pyspark.sql import SparkSession

jar, folder, *tables = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", jar)
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.ours", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.ours.type", "hadoop")
    .config("spark.sql.catalog.ours.warehouse", folder)
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")

answers = {}
for table in tables:
    name, metadata = table.split("=", 1)
    target = os.path.join(folder, "db", name, "metadata")
    os.makedirs(target)
    shutil.copy(metadata, os.path.join(target, "v1.gz.metadata.json"))
    with open(os.path.join(target, "version-hint.text"), "w") as hint:
        hint.write("1")
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
