"""Appends a file that exists in manifests only, in one commit after the other, with PyIceberg.

Usage: commit_files.py FOLDER PROPERTIES TABLE WARM_UP COMMITS, where PROPERTIES is JSON of the catalog's.
"""
import json
import sys
import time

from measured import measured
from pyiceberg.catalog import load_catalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record

_, properties, name, warm_up, commits = sys.argv[1:]
catalog = load_catalog("bench", **json.loads(properties))


def commit(number):
    table = catalog.load_table(name)
    file = DataFile.from_args(
        _table_format_version=table.metadata.format_version,
        content=DataFileContent.DATA,
        file_path=f"{table.location()}/data/{number}.parquet",
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=1000,
        file_size_in_bytes=10_000,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={},
        upper_bounds={},
        key_metadata=None,
        split_offsets=None,
        equality_ids=None,
        sort_order_id=None,
    )
    file.spec_id = 0
    with table.transaction() as transaction:
        with transaction.update_snapshot().fast_append() as append:
            append.append_data_file(file)


times = []


def commit_all():
    for number in range(int(commits)):
        began = time.perf_counter()
        commit(int(warm_up) + number)
        times.append(time.perf_counter() - began)
    return int(commits)


for number in range(int(warm_up)):
    commit(number)
measured(commit_all, lambda: {"medianMs": sorted(times)[len(times) // 2] * 1000})
