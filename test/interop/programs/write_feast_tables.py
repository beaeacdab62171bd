"""Writes the Iceberg tables of the Feast repository in test/fixtures/feast, in the SQLite catalog beside it.

Usage: write_feast_tables.py REPOSITORY
Prints the rows of rides.driver_stats as they were given to PyIceberg.
"""
import datetime
import decimal
import json
import os
import sys
import uuid

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

folder = os.path.abspath(sys.argv[1])
UTC = datetime.timezone.utc
DAY = datetime.datetime(2026, 3, 1, tzinfo=UTC)
at = lambda hour: DAY + datetime.timedelta(hours=hour)

TIME = pa.timestamp("us", tz="UTC")
DRIVERS = [
    dict(driver_id=driver, event_timestamp=at(hour), created=at(hour + 1), conv_rate=driver + hour / 8, acc_rate=hour / 4, trips=10 * driver + hour)
    for driver in (1, 2, 3)
    for hour in (0, 6, 12)
]
# The same hour again, written later: this row counts.
DRIVERS.append(dict(driver_id=1, event_timestamp=at(12), created=at(20), conv_rate=9.5, acc_rate=9.25, trips=99))

TABLES = {
    "driver_stats": (
        pa.schema([("driver_id", pa.int64()), ("event_timestamp", TIME), ("created", TIME), ("conv_rate", pa.float32()),
                   ("acc_rate", pa.float32()), ("trips", pa.int32())]),
        DRIVERS,
    ),
    "driver_profiles": (
        pa.schema([("driver_id", pa.int64()), ("event_timestamp", TIME), ("signed_up", pa.timestamp("us")), ("fee", pa.decimal128(9, 2)),
                   ("balance", pa.decimal128(12, 3)), ("license", pa.uuid()), ("badge", pa.uuid()), ("active", pa.bool_()),
                   ("languages", pa.list_(pa.string())), ("regions", pa.list_(pa.string())), ("attributes", pa.map_(pa.string(), pa.string())),
                   ("rides", pa.int64())]),
        [dict(driver_id=driver, event_timestamp=at(0), signed_up=datetime.datetime(2020, 1, driver), fee=decimal.Decimal("12.50"),
              balance=decimal.Decimal("0.125"), license=uuid.UUID(int=driver).bytes, badge=uuid.UUID(int=100 + driver).bytes, active=driver != 2,
              languages=["en", "de"][:driver], regions=["north"], attributes=[("seats", "4")], rides=2**40)
         for driver in (1, 2, 3)],
    ),
    "routes": (
        pa.schema([("driver_id", pa.int64()), ("zone", pa.string()), ("ts", TIME), ("minutes", pa.float64())]),
        [dict(driver_id=1, zone="a", ts=at(1), minutes=12.5), dict(driver_id=1, zone="b", ts=at(2), minutes=20.0)],
    ),
    "zone_demand": (
        pa.schema([("zone_id", pa.string()), ("event_timestamp", TIME), ("demand", pa.int64())]),
        [dict(zone_id="a", event_timestamp=at(3), demand=7), dict(zone_id="b", event_timestamp=at(3), demand=8)],
    ),
    "fuel": (
        pa.schema([("event_timestamp", TIME), ("price", pa.float64())]),
        [dict(event_timestamp=at(0), price=1.5), dict(event_timestamp=at(10), price=1.75)],
    ),
}

catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
catalog.create_namespace_if_not_exists("rides")
for name, (schema, rows) in TABLES.items():
    catalog.create_table(f"rides.{name}", schema).append(pa.Table.from_pylist(rows, schema=schema))
print(json.dumps([{**row, "event_timestamp": row["event_timestamp"].isoformat(), "created": row["created"].isoformat()} for row in DRIVERS]))
