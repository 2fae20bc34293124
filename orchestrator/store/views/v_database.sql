CREATE VIEW v_database AS
SELECT
    i.incarnation AS incarnation,
    i.confirmed AS confirmed,
    i.safe_since AS safe_since,
    i.safe_code AS safe_code,
    i.safe_reason AS safe_reason
FROM incarnation i
