"""Retrieves the features of an entity frame with Feast: its DuckDB offline store over its Iceberg source.

Usage: feast_retrieval.py FOLDER TABLE FRAME FEATURES ANSWER. FOLDER has catalog.db and warehouse; FRAME is the Parquet file of the
entity rows; FEATURES are names, separated by commas; ANSWER is the Parquet file to write.
"""
import datetime
import pathlib
import sys

import pandas
from feast import Entity, FeatureStore, FeatureView, Field
from feast.infra.data_sources.contrib.iceberg_catalog.iceberg_source import IcebergSource
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
from feast.repo_config import RepoConfig
from feast.types import Float64
from feast.value_type import ValueType
from measured import measured

folder, table, frame_path, names, answer = sys.argv[1:]
namespace, table_name = table.split(".")
features = names.split(",")
scratch = pathlib.Path.cwd()

entity = Entity(name="entity", join_keys=["entity_id"], value_type=ValueType.INT64)
source = IcebergSource(
    name="source",
    catalog_type="sql",
    catalog_name="local",
    endpoint=f"sqlite:///{folder}/catalog.db",
    warehouse=f"{folder}/warehouse",
    namespace=namespace,
    table=table_name,
    timestamp_field="event_ts",
)
view = FeatureView(
    name="view",
    entities=[entity],
    source=source,
    ttl=datetime.timedelta(days=2),
    schema=[Field(name=name, dtype=Float64) for name in features],
)
store = FeatureStore(
    config=RepoConfig(
        project="bench",
        provider="local",
        registry=str(scratch / "registry.db"),
        offline_store=DuckDBOfflineStoreConfig(),
        entity_key_serialization_version=3,
    )
)
store.apply([entity, view], skip_feature_view_validation=True)
frame = pandas.read_parquet(frame_path)


def retrieve() -> int:
    job = store.get_historical_features(entity_df=frame, features=[f"view:{name}" for name in features])
    answered = job.to_arrow()
    answered.to_pandas().to_parquet(answer)
    return answered.num_rows


measured(retrieve)
