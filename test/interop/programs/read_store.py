"""Rows of two tables, read by PyIceberg: argv is the properties of the catalog and of its storage, as JSON."""
import json
import sys

from catalogs import open_catalog

catalog = open_catalog(json.loads(sys.argv[1]))
source = catalog.load_table("shop.customer_orders").scan().to_arrow()
online = catalog.load_table("moraine_online.customer_activity").scan().to_arrow()
orders = [value for value in source["orders"].to_pylist() if value is not None]
print(json.dumps({"rows": source.num_rows, "orders": sum(orders), "online": online.num_rows}))
