"""Adds and removes users of a MinIO server: ENDPOINT ACCESS_KEY SECRET_KEY.

Each line of the standard input is a JSON array, `["add", NAME, SECRET, POLICY]` or `["remove", NAME]`, and is answered by a line. POLICY
is an IAM policy as JSON; null: the user may do everything.
"""

import json
import sys

import urllib3
from minio import MinioAdmin
from minio.credentials import StaticProvider

endpoint, access_key, secret_key = sys.argv[1:]
scheme, _, host = endpoint.partition("://")
http = urllib3.PoolManager(cert_reqs="CERT_NONE")
admin = MinioAdmin(
    endpoint=host, credentials=StaticProvider(access_key, secret_key), secure=scheme == "https", http_client=http
)


def add(name: str, secret: str, policy: str | None) -> None:
    admin.user_add(name, secret)
    if policy is not None:
        admin.policy_add(f"policy-of-{name}", policy=json.loads(policy))
    admin.policy_set("readwrite" if policy is None else f"policy-of-{name}", user=name)


for line in sys.stdin:
    action, *args = json.loads(line)
    try:
        add(*args) if action == "add" else admin.user_remove(*args)
        print("done", flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
