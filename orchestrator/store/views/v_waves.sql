CREATE VIEW v_waves AS
SELECT
    w.run_id AS run_id,
    w.position AS position,
    w.name AS wave,
    w.status AS status,
    NULLIF(w.reason, '') AS reason,
    w.opened_at AS opened_at,
    w.baking_until AS baking_until,
    w.closed_at AS closed_at,
    w.allowed AS allowed_failures,
    COUNT(o.vm_id) AS vms,
    COUNT(*) FILTER (
        WHERE o.state IN (
            'preparing', 'submitting', 'unknown', 'in_progress', 'verifying', 'rebooting'
        )
    ) AS in_flight,
    COUNT(*) FILTER (WHERE o.state = 'queued') AS queued,
    COUNT(*) FILTER (WHERE o.state = 'preparing') AS preparing,
    COUNT(*) FILTER (WHERE o.state = 'submitting') AS submitting,
    COUNT(*) FILTER (WHERE o.state = 'in_progress') AS in_progress,
    COUNT(*) FILTER (WHERE o.state = 'unknown') AS unknown,
    COUNT(*) FILTER (WHERE o.state = 'verifying') AS verifying,
    COUNT(*) FILTER (WHERE o.state = 'needs_human') AS needs_human,
    COUNT(*) FILTER (WHERE o.outcome = 'succeeded') AS succeeded,
    COUNT(*) FILTER (WHERE o.outcome = 'warned') AS warned,
    COUNT(*) FILTER (WHERE o.outcome = 'reboot_pending') AS reboot_pending,
    COUNT(*) FILTER (WHERE o.outcome = 'nothing_to_do') AS nothing_to_do,
    COUNT(*) FILTER (WHERE o.outcome = 'failed') AS failed,
    COUNT(*) FILTER (WHERE o.outcome = 'skipped') AS skipped,
    COUNT(*) FILTER (WHERE o.outcome = 'cancelled') AS cancelled,
    w.max_parallel AS max_parallel,
    w.approval AS approval,
    w.asked_at AS asked_at,
    w.approved_at AS approved_at,
    w.approved_by AS approved_by,
    w.gates AS gates,
    COUNT(*) FILTER (WHERE o.state = 'reboot_queued') AS reboot_queued,
    COUNT(*) FILTER (WHERE o.state = 'rebooting') AS rebooting,
    w.reboots_at AS reboots_at,
    w.reboots_at_once AS reboots_at_once,
    w.reboots_allowed AS reboots_allowed,
    COUNT(*) FILTER (
        WHERE NOT o.forgiven AND (
            o.state IN ('failed', 'needs_human')
            OR (o.outcome = 'warned' AND w.spec LIKE '%"warnings":"fail"%')
        )
    ) AS bad,
    COUNT(*) FILTER (
        WHERE o.forgiven AND (
            o.state IN ('failed', 'needs_human')
            OR (o.outcome = 'warned' AND w.spec LIKE '%"warnings":"fail"%')
        )
    ) AS accepted
FROM wave w
LEFT JOIN operation o ON o.run_id = w.run_id AND o.wave = w.position
GROUP BY w.run_id, w.position
