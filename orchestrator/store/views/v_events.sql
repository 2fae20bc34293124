CREATE VIEW v_events AS
SELECT
    e.seq AS seq,
    e.at AS at,
    NULLIF(e.run_id, '') AS run_id,
    e.vm_id AS vm_id,
    e.event AS event,
    e.actor AS actor,
    NULLIF(e.why, '') AS why,
    e.detail AS detail
FROM event e
