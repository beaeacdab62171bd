"""Appends Arrow files to a fresh table with day partitions with PyIceberg, one commit for each.
The files of a commit, and their folders, are synced after it, as those of the sink are before it.

Usage: append_batches.py DATA FOLDER PROPERTIES. DATA/batches has the files; FOLDER gets catalog.db and warehouse; PROPERTIES is JSON of the table's.
"""
import json
import os
import pathlib
import sys

import pyarrow
from measured import measured
from pyiceberg.catalog import load_catalog
from pyiceberg.io.pyarrow import PyArrowFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    BooleanType, DecimalType, DoubleType, FloatType, IntegerType, LongType, NestedField, StringType, TimestamptzType,
)

_, data, folder, properties = sys.argv
COLUMNS = {
    "id": LongType(), "device": StringType(), "at": TimestamptzType(), "temperature": DoubleType(), "humidity": FloatType(),
    "port": IntegerType(), "ok": BooleanType(), "price": DecimalType(12, 2), "firmware": StringType(), "payload": StringType(),
}
schema = Schema(*(NestedField(index + 1, name, type_, required=False) for index, (name, type_) in enumerate(COLUMNS.items())))
batches = []
for path in sorted((pathlib.Path(data) / "batches").glob("*.arrow")):
    with pyarrow.ipc.open_stream(path.read_bytes()) as reader:
        batches.append(reader.read_all().combine_chunks())

catalog = load_catalog("local", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"{folder}/warehouse")
catalog.create_namespace("bench")
table = catalog.create_table(
    "bench.stream",
    schema,
    partition_spec=PartitionSpec(PartitionField(source_id=3, field_id=1000, transform=DayTransform(), name="at_day")),
    properties=json.loads(properties),
)


written = set()
create = PyArrowFile.create


def create_noted(self, overwrite=False):
    written.add(self.location.removeprefix("file://"))
    return create(self, overwrite)


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def append_all():
    PyArrowFile.create = create_noted
    for batch in batches:
        written.clear()
        table.append(batch)
        for path in (*written, *{os.path.dirname(path) for path in written}):
            sync(path)
    return sum(batch.num_rows for batch in batches)


measured(append_all)
