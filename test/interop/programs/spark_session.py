"""Apache Spark with a Hadoop catalog `ours` whose tables are made to point at metadata files of ours, which stay where they are."""

import os
import shutil

from pyspark.sql import SparkSession


def open_session(jar, folder):
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
    return spark


def add_table(folder, name, metadata):
    target = os.path.join(folder, "db", name, "metadata")
    os.makedirs(target)
    shutil.copy(metadata, os.path.join(target, "v1.gz.metadata.json"))
    with open(os.path.join(target, "version-hint.text"), "w") as hint:
        hint.write("1")
