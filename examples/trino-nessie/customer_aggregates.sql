CREATE SCHEMA IF NOT EXISTS gold;

CREATE TABLE gold.customer_aggregates (
  customer_id bigint,
  updated_at timestamp(6) with time zone,
  total_orders bigint,
  avg_order_value double
) WITH (format_version = 2);

INSERT INTO gold.customer_aggregates VALUES
  (123, timestamp '2026-03-01 00:00:00 UTC', 2, 20.0),
  (321, timestamp '2026-03-01 00:00:00 UTC', 8, 64.0),
  (456, timestamp '2026-03-01 00:00:00 UTC', 9, 75.5),
  (789, timestamp '2026-03-01 00:00:00 UTC', 1, 12.25);

INSERT INTO gold.customer_aggregates VALUES
  (123, timestamp '2026-03-08 00:00:00 UTC', 3, 2400.0),
  (321, timestamp '2026-03-08 00:00:00 UTC', 9, 66.5),
  (456, timestamp '2026-03-08 00:00:00 UTC', 11, 78.25),
  (654, timestamp '2026-03-08 00:00:00 UTC', 1, 15.0),
  (987, timestamp '2026-03-08 00:00:00 UTC', 7, 58.0);

-- It was in cents.
UPDATE gold.customer_aggregates SET avg_order_value = 24.0
WHERE customer_id = 123 AND updated_at = timestamp '2026-03-08 00:00:00 UTC';

-- A customer who asked to be forgotten.
DELETE FROM gold.customer_aggregates WHERE customer_id = 789;
