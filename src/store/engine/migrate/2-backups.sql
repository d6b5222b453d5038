-- Backups that were made, so that their age is known and a file is recognised again by its hash.
CREATE TABLE backups (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    taken_at    INTEGER NOT NULL,             -- whatever was acknowledged before is in it
    kind        TEXT    NOT NULL CHECK (kind IN ('manual', 'scheduled', 'migration')),
    path        TEXT    NOT NULL,
    bytes       INTEGER NOT NULL CHECK (bytes > 0),
    sha256      BLOB    NOT NULL CHECK (length(sha256) = 32),   -- of the file but its last line
    verified_at INTEGER                       -- when it was last restored to a scratch place and found whole
) STRICT;
CREATE UNIQUE INDEX backups_by_hash ON backups (sha256);
CREATE INDEX backups_by_kind ON backups (kind, id);
CREATE INDEX backups_verified ON backups (taken_at) WHERE verified_at IS NOT NULL;
