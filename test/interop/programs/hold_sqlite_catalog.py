"""Reads a table through Spark's JdbcCatalog, and again at each line of standard input, without ending in between.

`hold_sqlite_catalog.py <iceberg-spark-runtime.jar> <sqlite-jdbc.jar> <catalog name> <sqlite file> <warehouse> <namespace.table> <init>`

`init`: whether JdbcCatalog looks for its tables first (`jdbc.init-catalog-tables`). Prints the number of rows after each read.
"""

import sys

from pyspark.sql import SparkSession

runtime, driver, name, database, warehouse, table, init = sys.argv[1:]
prefix = f"spark.sql.catalog.{name}"
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", f"{runtime},{driver}")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.extraClassPath", driver)
    .config(prefix, "org.apache.iceberg.spark.SparkCatalog")
    .config(f"{prefix}.type", "jdbc")
    .config(f"{prefix}.uri", f"jdbc:sqlite:{database}")
    .config(f"{prefix}.jdbc.schema-version", "V1")
    .config(f"{prefix}.jdbc.init-catalog-tables", init)
    .config(f"{prefix}.warehouse", warehouse)
    .config(f"{prefix}.cache-enabled", "false")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def count():
    print(spark.sql(f"SELECT count(*) FROM {name}.{table}").collect()[0][0], flush=True)


count()
for _ in sys.stdin:
    count()
