"""What the real Feast says of a repository that it has applied: its definitions, and feature rows of the driver at some times.

Usage: describe_feast.py REPOSITORY
Prints {"entities", "views", "services", "rows"}.
"""
import json
import os
import sys

import pandas as pd
from feast import FeatureStore

os.chdir(sys.argv[1])
sys.path.insert(0, os.getcwd())
store = FeatureStore(".")

described = {
    "entities": [
        {"name": e.name, "joinKeys": [e.join_key], "description": e.description, "tags": e.tags, "owner": e.owner}
        for e in sorted(store.list_entities(), key=lambda e: e.name)
    ],
    "views": [
        {
            "name": view.name,
            "entities": [name for name in view.entities if name != "__dummy"],
            "ttlMs": round(view.ttl.total_seconds() * 1000) if view.ttl else 0,
            "online": view.online,
            "pushSource": view.stream_source.name if type(view.stream_source).__name__ == "PushSource" else None,
            "features": [field.name for field in view.features],
            "table": getattr(view.batch_source, "table_identifier", None)
            or f"{getattr(view.batch_source, 'namespace', '')}.{getattr(view.batch_source, 'iceberg_table', '')}",
            "timestampField": view.batch_source.timestamp_field,
            "created": view.batch_source.created_timestamp_column,
            "fieldMapping": dict(view.batch_source.field_mapping),
            "description": view.description,
            "tags": view.tags,
            "owner": view.owner,
        }
        for view in sorted(store.list_batch_feature_views(), key=lambda view: view.name)
    ],
    "services": [
        {
            "name": service.name,
            "features": [
                {"view": p.name, "alias": p.name_alias or "", "features": [f.name for f in p.features], "joinKeyMap": dict(p.join_key_map)}
                for p in service.feature_view_projections
            ],
            "description": service.description,
            "tags": service.tags,
            "owner": service.owner,
        }
        for service in sorted(store.list_feature_services(), key=lambda service: service.name)
    ],
}
times = ["2026-03-01T12:00:00Z", "2026-03-01T05:59:59Z", "2026-03-02T06:00:00Z", "2026-03-02T12:00:01Z", "2026-03-01T12:00:00Z"]
frame = pd.DataFrame({"row": range(5), "driver_id": [1, 1, 2, 3, 9], "event_timestamp": pd.to_datetime(times, utc=True)})
features = [f"driver_hourly_stats:{name}" for name in ("conv_rate", "acc_rate", "avg_daily_trips")]
answer = store.get_historical_features(entity_df=frame, features=features).to_df().sort_values("row")
described["rows"] = json.loads(answer[["driver_id", "conv_rate", "acc_rate", "avg_daily_trips"]].to_json(orient="records"))
print(json.dumps(described))
