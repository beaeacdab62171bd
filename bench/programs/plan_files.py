"""Plans all files of a table with PyIceberg, nothing cached.

Usage: plan_files.py FOLDER TABLE [NAME PROPERTIES]: with the catalog of FOLDER/catalog.db and its warehouse, or with one of this name whose
properties are JSON.
"""
import json
import sys

from measured import measured
from pyiceberg.catalog import load_catalog

folder, table, *other = sys.argv[1:]
local = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"{folder}/warehouse"}
catalog = load_catalog(other[0], **json.loads(other[1])) if other else load_catalog("local", **local)
measured(lambda: len(list(catalog.load_table(table).scan().plan_files())))
