CREATE VIEW v_freezes AS
SELECT
    f.name AS name,
    f.begins AS begins,
    f.ends AS ends,
    f.source AS source
FROM frozen f
