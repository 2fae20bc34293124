CREATE VIEW v_schedules AS
SELECT
    s.plan AS plan,
    s.next_fire AS next_fire,
    f.at AS last_fire,
    f.result AS last_result,
    r.at AS disabled_at,
    r.until AS disabled_until,
    r.actor AS disabled_by,
    r.because AS disabled_because,
    q.local AS queued_fire
FROM schedule s
LEFT JOIN schedule_rest r ON r.plan = s.plan
LEFT JOIN queued_fire q ON q.plan = s.plan
LEFT JOIN fire f ON f.plan = s.plan AND f.local = (
    SELECT g.local
    FROM fire g
    WHERE g.plan = s.plan
    ORDER BY g.at DESC, g.local DESC
    LIMIT 1
)
