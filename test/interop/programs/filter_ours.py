"""Counts the rows that PyIceberg finds for each filter: wrong statistics or partition values would lose rows.

Usage: filter_ours.py CATALOG_URI WAREHOUSE TABLE FILTERS_JSON
"""
import json
import sys

from pyiceberg.catalog.sql import SqlCatalog

uri, warehouse, name, filters = sys.argv[1:5]
table = SqlCatalog("local", uri=uri, warehouse=warehouse).load_table(name)
print(json.dumps([table.scan(row_filter=one).to_arrow().num_rows for one in json.loads(filters)]))
