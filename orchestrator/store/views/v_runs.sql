CREATE VIEW v_runs AS
SELECT
    r.id AS run_id,
    r.plan AS plan,
    r.status AS status,
    NULLIF(r.reason, '') AS reason,
    r.config_hash AS config_hash,
    r.opened_at AS opened_at,
    r.closed_at AS closed_at,
    (SELECT COUNT(*) FROM wave w WHERE w.run_id = r.id) AS waves,
    (SELECT COUNT(*) FROM wave w WHERE w.run_id = r.id AND w.status = 'passed') AS waves_passed,
    COUNT(o.vm_id) AS vms,
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
    r.reminded_at AS reminded_at,
    r.quarantine AS quarantine,
    COUNT(*) FILTER (WHERE o.state = 'reboot_queued') AS reboot_queued,
    COUNT(*) FILTER (WHERE o.state = 'rebooting') AS rebooting,
    COUNT(*) FILTER (
        WHERE NOT o.forgiven AND (
            o.state IN ('failed', 'needs_human')
            OR (
                o.outcome = 'warned'
                AND EXISTS (
                    SELECT 1 FROM wave w
                    WHERE w.run_id = o.run_id AND w.position = o.wave
                    AND w.spec LIKE '%"warnings":"fail"%'
                )
            )
        )
    ) AS bad,
    COUNT(*) FILTER (
        WHERE o.forgiven AND (
            o.state IN ('failed', 'needs_human')
            OR (
                o.outcome = 'warned'
                AND EXISTS (
                    SELECT 1 FROM wave w
                    WHERE w.run_id = o.run_id AND w.position = o.wave
                    AND w.spec LIKE '%"warnings":"fail"%'
                )
            )
        )
    ) AS accepted
FROM run r
LEFT JOIN operation o ON o.run_id = r.id
GROUP BY r.id
