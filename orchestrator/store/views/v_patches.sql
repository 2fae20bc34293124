CREATE VIEW v_patches AS
SELECT
    p.run_id AS run_id,
    p.vm_id AS vm_id,
    p.patch_id AS patch_id,
    p.name AS name,
    NULLIF(p.version, '') AS version,
    NULLIF(p.kb_id, '') AS kb_id,
    p.classifications AS classifications,
    p.state AS state
FROM patch p
