"""Plans all files of a table with PyIceberg, nothing cached.

Usage: plan_files.py FOLDER TABLE, where FOLDER has catalog.db and warehouse.
"""
import sys

from measured import measured
from pyiceberg.catalog.sql import SqlCatalog

folder, name = sys.argv[1:]
catalog = SqlCatalog("local", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"{folder}/warehouse")
measured(lambda: len(list(catalog.load_table(name).scan().plan_files())))
