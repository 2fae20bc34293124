-- What the witness sees of each transaction: temporary triggers on the shipped tables.
-- They tell; they forbid nothing.

CREATE TEMP TABLE seen (what TEXT, run_id TEXT, vm_id TEXT, key TEXT, facts TEXT);

CREATE TEMP TRIGGER saw_operation AFTER UPDATE OF state ON operation
  WHEN NEW.state <> OLD.state BEGIN
  INSERT INTO seen VALUES ('operation', NEW.run_id, NEW.vm_id, OLD.state || '>' || NEW.state,
  json_object('attempt', coalesce(OLD.attempt_id, NEW.attempt_id),
  'settle_at', OLD.settle_at, 'code', NEW.reason_code, 'reason', NEW.reason,
  'receipts', (SELECT count(*) FROM receipt c WHERE c.attempt_id = NEW.attempt_id),
  'asked', json_object(
      'retry', (SELECT count(*) FROM act b WHERE b.run_id = NEW.run_id AND b.kind = 'retry'),
      'not_started',
      (SELECT count(*) FROM act b WHERE b.run_id = NEW.run_id AND b.kind = 'resolve')),
    'given', (SELECT json_group_array(g.kind) FROM permission g
      WHERE g.run_id = NEW.run_id AND g.vm_id = NEW.vm_id))); END;

CREATE TEMP TRIGGER saw_receipt AFTER INSERT ON receipt BEGIN
  INSERT INTO seen SELECT 'receipt', a.run_id, a.vm_id, NEW.attempt_id, '{}'
  FROM attempt a WHERE a.id = NEW.attempt_id; END;

CREATE TEMP TRIGGER saw_lease AFTER UPDATE OF epoch ON lease
  WHEN NEW.epoch <> OLD.epoch BEGIN
  INSERT INTO seen VALUES ('lease', NEW.run_id, NULL, NEW.holder, '{}'); END;

CREATE TEMP TRIGGER saw_attempt AFTER INSERT ON attempt BEGIN
  INSERT INTO seen SELECT 'attempt', NEW.run_id, NEW.vm_id, NEW.id, json_object(
  'run', r.status, 'closed', r.closed_at, 'wave', w.status,
  'earlier', (SELECT count(*) FROM wave e WHERE e.run_id = NEW.run_id
    AND e.position < w.position AND e.status NOT IN ('passed', 'skipped')),
  'most', w.max_parallel,
  'in_flight', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id
    AND p.wave = w.position AND p.state IN ('preparing', 'submitting', 'unknown', 'in_progress', 'verifying', 'rebooting')),
  'held', (CASE json_extract(r.quarantine, '$.kind') WHEN 'image' THEN o.image
    WHEN 'system' THEN o.os WHEN 'region' THEN o.region END) = json_extract(r.quarantine, '$.value'),
  'restarts', o.state = 'reboot_queued', 'at_once', w.reboots_at_once,
  'unpatched', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id AND p.wave = w.position
    AND p.attempt = 1 AND p.state IN ('queued', 'preparing', 'submitting', 'unknown', 'in_progress')),
  'elsewhere', (SELECT count(*) FROM operation p WHERE p.vm_id = NEW.vm_id
    AND p.run_id <> NEW.run_id
    AND (p.state IN ('submitting', 'unknown', 'in_progress', 'verifying', 'reboot_queued', 'rebooting')
      OR p.state = 'needs_human' AND p.locked_until > NEW.intent_at)),
  'broken', (SELECT count(*) FROM wave e WHERE e.run_id = NEW.run_id AND e.allowed <
    (SELECT count(*) FROM operation p WHERE p.run_id = e.run_id AND p.wave = e.position
     AND state IN ('failed', 'needs_human') AND NOT forgiven) OR e.run_id = NEW.run_id AND e.reboots_allowed <
    (SELECT count(*) FROM operation p WHERE p.run_id = e.run_id AND p.wave = e.position
     AND state IN ('failed', 'needs_human') AND NOT forgiven AND p.reboot_at IS NOT NULL
     AND p.reason_code <> 'died_in_bake')),
  'bad', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id AND state IN ('failed', 'needs_human') AND NOT forgiven),
  'at', NEW.intent_at, 'frozen', (SELECT count(*) FROM frozen z
    WHERE z.begins <= NEW.intent_at AND z.ends > NEW.intent_at),
  'number', NEW.number, 'holder', NEW.holder, 'epoch', NEW.epoch,
  'lease_holder', l.holder, 'lease_epoch', l.epoch)
  FROM operation o JOIN run r ON r.id = o.run_id
  JOIN wave w ON w.run_id = o.run_id AND w.position = o.wave
  LEFT JOIN lease l ON l.run_id = o.run_id
  WHERE o.run_id = NEW.run_id AND o.vm_id = NEW.vm_id; END;

CREATE TEMP TRIGGER saw_start AFTER UPDATE OF state ON operation
  WHEN NEW.state IN ('submitting', 'rebooting') AND NEW.state <> OLD.state BEGIN
  INSERT INTO seen SELECT 'start', NEW.run_id, NEW.vm_id, NEW.attempt_id, json_object(
  'allowed', w.allowed,
  'risk', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id AND p.wave = NEW.wave
    AND (p.state IN ('submitting', 'unknown', 'in_progress', 'verifying', 'rebooting')
      OR p.state IN ('failed', 'needs_human') AND NOT p.forgiven)),
  'run_risk', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id
    AND (p.state IN ('submitting', 'unknown', 'in_progress', 'verifying', 'rebooting')
      OR p.state IN ('failed', 'needs_human') AND NOT p.forgiven)),
  'flying', (SELECT count(*) FROM operation p
    WHERE p.state IN ('submitting', 'unknown', 'in_progress', 'verifying', 'rebooting')
      OR p.state = 'needs_human' AND p.locked_until > NEW.intent_at),
  'cluster', (SELECT count(*) FROM operation p
    WHERE json_extract(p.tags, '$.cluster') = json_extract(NEW.tags, '$.cluster')
    AND (p.state IN ('submitting', 'unknown', 'in_progress', 'verifying', 'rebooting')
      OR p.state = 'needs_human' AND p.locked_until > NEW.intent_at)))
  FROM wave w WHERE w.run_id = NEW.run_id AND w.position = NEW.wave; END;

CREATE TEMP TRIGGER saw_run AFTER UPDATE OF status ON run
  WHEN NEW.status <> OLD.status BEGIN
  INSERT INTO seen VALUES ('run', NEW.id, NULL, OLD.status || '>' || NEW.status, json_object(
    'resumes', (SELECT count(*) FROM act b WHERE b.run_id = NEW.id AND b.kind = 'resume'))); END;

CREATE TEMP TRIGGER saw_wave AFTER UPDATE OF status ON wave
  WHEN NEW.status = 'passed' AND OLD.status <> 'passed' BEGIN
  INSERT INTO seen SELECT 'passed', NEW.run_id, NULL, NEW.name, json_object(
  'unsettled', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id
    AND p.wave = NEW.position AND (p.state = 'queued' OR p.state IN ('preparing', 'submitting', 'unknown', 'in_progress', 'verifying', 'reboot_queued', 'rebooting'))),
  'bad', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id
    AND p.wave = NEW.position AND state IN ('failed', 'needs_human') AND NOT forgiven),
  'good', (SELECT count(*) FROM operation p WHERE p.run_id = NEW.run_id
    AND p.wave = NEW.position AND p.state = 'succeeded'),
  'allowed', NEW.allowed, 'excused', NEW.excused,
  'baked', NEW.baking_until <= NEW.closed_at); END;
