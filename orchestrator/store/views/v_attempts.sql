CREATE VIEW v_attempts AS
SELECT
    a.run_id AS run_id,
    a.vm_id AS vm_id,
    a.number AS attempt,
    a.id AS client_request_id,
    a.intent_at AS intent_at,
    a.sent_at AS sent_at,
    a.ended_at AS ended_at,
    a.ended_as AS "end",
    a.http_status AS http_status,
    a.activity_id AS activity_id,
    a.verdict AS verdict,
    a.superseded_verdict AS superseded_verdict,
    CASE
        WHEN EXISTS (
            SELECT 1
            FROM permission p
            WHERE p.run_id = a.run_id AND p.vm_id = a.vm_id
                AND p.attempt = a.number AND p.kind = 'reboot'
        ) THEN 'restart'
        ELSE 'install'
    END AS kind
FROM attempt a
