"""Fits a model that tells who churns to features as they were, and scores customers by a batch of their newest ones."""

import json
import math
import os
import sys
import urllib.request

URL = os.environ["FEATURE_SERVICE_URL"]
NAMES = ["total_orders", "avg_order_value"]


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def inputs(features):
    """Of a row without features: None."""
    values = [features[name] for name in NAMES]
    return None if None in values else [1.0, *(math.log1p(value) for value in values)]


def probability(weights, row):
    return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(weights, row))))


def fit(rows, labels, steps=5000, rate=0.1):
    """Logistic regression."""
    weights = [0.0] * len(rows[0])
    for _ in range(steps):
        errors = [label - probability(weights, row) for row, label in zip(rows, labels)]
        weights = [w + rate * sum(e * row[i] for e, row in zip(errors, rows)) / len(rows) for i, w in enumerate(weights)]
    return weights


view = sys.argv[1]
with open("churned.json") as file:
    churned = json.load(file)
training = post("/get-historical-features", {"entities": churned, "features": [f"{view}:{name}" for name in NAMES]})
known = [row for row in training if inputs(row) is not None]
weights = fit([inputs(row) for row in known], [float(row["churned"]) for row in known])

batch = {"feature_views": [view], "entities": [{"customer_id": int(customer)} for customer in sys.argv[2:]]}
for result in post("/feast/predictions/batch", batch)["results"]:
    row = inputs(result["features"])
    scored = "no features" if row is None else f"churns with probability {probability(weights, row):.2f}"
    print(f"customer {result['entities']['customer_id']}: {scored}")
