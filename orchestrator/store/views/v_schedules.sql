CREATE VIEW v_schedules AS
SELECT
    s.plan AS plan,
    s.next_fire AS next_fire,
    f.at AS last_fire,
    f.result AS last_result
FROM schedule s
LEFT JOIN fire f ON f.plan = s.plan AND f.local = (
    SELECT g.local
    FROM fire g
    WHERE g.plan = s.plan
    ORDER BY g.at DESC, g.local DESC
    LIMIT 1
)
