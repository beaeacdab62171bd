"""Fills Feast's online stores on Redis and SQLite with the rows of a Parquet file, and measures reads inside this process.

Usage: feast_redis.py FOLDER PORT ROWS. FOLDER gets the feature repository that `feast serve` reads; ROWS has the columns entity_id,
event_ts and features. Prints one line of JSON: seconds for filling, milliseconds of reads of one and of a hundred entities, megabytes that
each store takes.
"""
import datetime
import json
import pathlib
import random
import sys
import time

import pandas
import pyarrow.parquet
import redis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Bool, Float32, Float64, Int32, Int64, String
from feast.value_type import ValueType

folder, port, rows = sys.argv[1:]
TYPES = {
    "d1": Float64, "d2": Float64, "f1": Float32, "n1": Int64, "n2": Int64,
    "i1": Int32, "b1": Bool, "s1": String, "s2": String, "m1": Float64,
}
BATCH = 20_000

STORES = {
    "redis": {"type": "redis", "connection_string": f"127.0.0.1:{port}"},
    "sqlite": {"type": "sqlite", "path": "online.db"},
}
repository = pathlib.Path(folder)


def open_store(name: str) -> FeatureStore:
    (repository / "feature_store.yaml").write_text(json.dumps({
        "project": "bench",
        "provider": "local",
        "registry": {"path": str(repository / "registry.db"), "cache_ttl_seconds": 3600},
        "online_store": STORES[name],
        "entity_key_serialization_version": 3,
    }))
    return FeatureStore(str(repository))


entity = Entity(name="profile_entity", join_keys=["entity_id"], value_type=ValueType.INT64)
view = FeatureView(
    name="profile",
    entities=[entity],
    source=FileSource(path=rows, timestamp_field="event_ts"),
    ttl=datetime.timedelta(days=0),
    schema=[Field(name="entity_id", dtype=Int64)] + [Field(name=name, dtype=type_) for name, type_ in TYPES.items()],
)
file = pyarrow.parquet.ParquetFile(rows)


def fill(store: FeatureStore) -> float:
    store.apply([entity, view])
    began = time.perf_counter()
    for batch in file.iter_batches(batch_size=BATCH):
        frame = batch.to_pandas(types_mapper={pyarrow.int64(): pandas.Int64Dtype(),
                                              pyarrow.int32(): pandas.Int32Dtype(),
                                              pyarrow.bool_(): pandas.BooleanDtype()}.get)
        store.write_to_online_store("profile", frame)
    return time.perf_counter() - began


def latencies(store: FeatureStore, entities: int, count: int) -> "tuple[float, float]":
    keys = int(file.metadata.num_rows / 0.95)
    generator = random.Random(12345)
    times = []
    for _ in range(count):
        asked = [{"entity_id": generator.randrange(keys)} for _ in range(entities)]
        began = time.perf_counter()
        store.get_online_features([f"profile:{name}" for name in TYPES], asked)
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times[count // 2], times[int(count * 0.99)]


def measure(store: FeatureStore, prefix: str) -> "dict[str, float]":
    latencies(store, 1, 200)
    p50, p99 = latencies(store, 1, 3000)
    p50_of_100, p99_of_100 = latencies(store, 100, 300)
    return {f"{prefix}p50": p50, f"{prefix}p99": p99, f"{prefix}p50of100": p50_of_100, f"{prefix}p99of100": p99_of_100}


figures = {}
sqlite = open_store("sqlite")
figures["sqliteFillSeconds"] = fill(sqlite)
figures.update(measure(sqlite, "sqlite"))
figures["sqliteMb"] = sum(path.stat().st_size for path in repository.rglob("online.db*")) / 2**20

# The last one is what `feast serve` reads.
server = redis.Redis(port=int(port))
empty = server.info("memory")["used_memory"]
on_redis = open_store("redis")
figures["fillSeconds"] = fill(on_redis)
figures["redisMb"] = (server.info("memory")["used_memory"] - empty) / 2**20
figures.update(measure(on_redis, ""))
print(json.dumps(figures))
