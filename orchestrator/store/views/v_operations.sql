CREATE VIEW v_operations AS
SELECT
    o.run_id AS run_id,
    w.name AS wave,
    o.vm_id AS vm_id,
    o.vm_name AS vm_name,
    o.subscription_id AS subscription_id,
    o.resource_group AS resource_group,
    o.region AS region,
    o.os AS os,
    o.state AS state,
    o.outcome AS outcome,
    o.failure_class AS failure_class,
    NULLIF(o.reason, '') AS reason,
    o.attempt AS attempt,
    (
        SELECT a.id
        FROM attempt a
        WHERE a.run_id = o.run_id AND a.vm_id = o.vm_id
        ORDER BY a.number DESC, a.intent_at DESC
        LIMIT 1
    ) AS client_request_id,
    o.activity_id AS activity_id,
    o.started_at AS started_at,
    o.finished_at AS finished_at,
    COALESCE(p.polls, 0) AS polls,
    p.last_at AS last_polled_at,
    CASE WHEN o.finished_at IS NULL AND o.state NOT IN ('queued', 'reboot_queued') THEN p.next_at END AS next_poll_at,
    o.installed AS installed,
    o.failed AS failed,
    o.pending AS pending,
    o.excluded AS excluded,
    o.not_selected AS not_selected,
    o.reboot_status AS reboot_status,
    o.window_exceeded AS window_exceeded,
    NULLIF(o.zone, '') AS zone,
    NULLIF(o.availability_set, '') AS availability_set,
    NULLIF(o.image, '') AS image,
    o.tags AS tags,
    o.failed_patches AS failed_patches,
    o.reboot_at AS reboot_at,
    o.patched_at AS patched_at
FROM operation o
JOIN wave w ON w.run_id = o.run_id AND w.position = o.wave
LEFT JOIN watch p ON p.run_id = o.run_id AND p.vm_id = o.vm_id
