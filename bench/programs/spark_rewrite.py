"""Compacts tables with Apache Spark's rewrite_data_files in one JVM, warm by the time of the last one, which is measured.

Usage: spark_rewrite.py JAR WAREHOUSE NAMESPACE.TABLE [NAMESPACE.TABLE ..]. WAREHOUSE holds tables of a Hadoop catalog. Prints one line of
JSON for the last table: CPU and wall seconds of the call, the JVM's peak memory, and the number of files that it rewrote.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession

jar, warehouse, *tables = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.memory", "4g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.hadoop", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.hadoop.type", "hadoop")
    .config("spark.sql.catalog.hadoop.warehouse", warehouse)
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
pid = spark._jvm.java.lang.ProcessHandle.current().pid()


def jvm_cpu_seconds():
    """CPU seconds that the JVM has used. Source: proc(5), fields utime and stime."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def jvm_peak_mb():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


for table in tables:
    cpu, wall = jvm_cpu_seconds(), time.perf_counter()
    result = spark.sql(f"CALL hadoop.system.rewrite_data_files(table => '{table}', options => map('rewrite-all', 'true'))").collect()[0]
    used = {"cpuSeconds": jvm_cpu_seconds() - cpu, "wallSeconds": time.perf_counter() - wall}
print(json.dumps({**used, "peakMb": jvm_peak_mb(), "count": result["rewritten_data_files_count"]}), flush=True)
