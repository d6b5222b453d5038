-- The whole current schema. A fresh database is exactly this file; a migrated one is equal to it (tests/store).
-- Two files, split at the `-- file:` lines: panel.db holds what must never be lost, panel-logs.db the request log.
--
-- Conventions: 64-bit integers, text and blobs, no floating point. Instants are epoch milliseconds (UTC), calendar dates are
-- days since 1970-01-01, money is minor units, traffic and quotas are bytes (0 = unlimited), speeds are kbit/s, counts of
-- what may be owned use -1 for unlimited. Booleans are 0/1. A `*_key` column is its neighbour folded to lower case in Rust,
-- which is where case-insensitive uniqueness is decided. `uid` is the random name a row's sealed columns are bound to.
-- Soft-deleted rows keep `deleted_at`; uniqueness is among the living.

-- file: panel.db

-- What this file is: the sealed constant that tells a wrong key file, and a row that is changed to see that it can be.
-- (The schema's version is the header's user_version.)
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Limits and flags an account inherits unless it has its own. `can_grant_*` matter on packages of resellers.
CREATE TABLE packages (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    name               TEXT    NOT NULL,
    name_key           TEXT    NOT NULL,
    max_users          INTEGER NOT NULL DEFAULT -1 CHECK (max_users >= -1),
    max_domains        INTEGER NOT NULL DEFAULT -1 CHECK (max_domains >= -1),
    max_databases      INTEGER NOT NULL DEFAULT -1 CHECK (max_databases >= -1),
    max_email_accounts INTEGER NOT NULL DEFAULT -1 CHECK (max_email_accounts >= -1),
    max_ftp_accounts   INTEGER NOT NULL DEFAULT -1 CHECK (max_ftp_accounts >= -1),
    disk_quota_mb      INTEGER NOT NULL DEFAULT -1 CHECK (disk_quota_mb >= -1),
    bandwidth_quota_mb INTEGER NOT NULL DEFAULT -1 CHECK (bandwidth_quota_mb >= -1),
    can_use_api        INTEGER NOT NULL DEFAULT 1 CHECK (can_use_api IN (0, 1)),
    can_use_php        INTEGER NOT NULL DEFAULT 1 CHECK (can_use_php IN (0, 1)),
    can_use_cgi        INTEGER NOT NULL DEFAULT 1 CHECK (can_use_cgi IN (0, 1)),
    can_use_ssl        INTEGER NOT NULL DEFAULT 1 CHECK (can_use_ssl IN (0, 1)),
    can_use_ssh        INTEGER NOT NULL DEFAULT 1 CHECK (can_use_ssh IN (0, 1)),
    can_use_cron       INTEGER NOT NULL DEFAULT 1 CHECK (can_use_cron IN (0, 1)),
    can_use_spam       INTEGER NOT NULL DEFAULT 1 CHECK (can_use_spam IN (0, 1)),
    can_use_catchall   INTEGER NOT NULL DEFAULT 1 CHECK (can_use_catchall IN (0, 1)),
    can_use_dnscontrol INTEGER NOT NULL DEFAULT 1 CHECK (can_use_dnscontrol IN (0, 1)),
    can_use_sysinfo    INTEGER NOT NULL DEFAULT 1 CHECK (can_use_sysinfo IN (0, 1)),
    can_grant_api        INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_api IN (0, 1)),
    can_grant_php        INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_php IN (0, 1)),
    can_grant_cgi        INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_cgi IN (0, 1)),
    can_grant_ssl        INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_ssl IN (0, 1)),
    can_grant_ssh        INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_ssh IN (0, 1)),
    can_grant_cron       INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_cron IN (0, 1)),
    can_grant_spam       INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_spam IN (0, 1)),
    can_grant_catchall   INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_catchall IN (0, 1)),
    can_grant_dnscontrol INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_dnscontrol IN (0, 1)),
    can_grant_sysinfo    INTEGER NOT NULL DEFAULT 1 CHECK (can_grant_sysinfo IN (0, 1)),
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX packages_by_name ON packages (name_key);

-- Logins of the panel and, on the billing surface, hosting accounts. Ids are never reused: a key names its owner by id,
-- so a new user of an old name inherits nothing. A NULL limit or flag is inherited from the package.
CREATE TABLE users (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    uid                BLOB    NOT NULL CHECK (length(uid) = 16),
    username           TEXT    NOT NULL,
    username_key       TEXT    NOT NULL,
    email              TEXT    NOT NULL,
    email_key          TEXT    NOT NULL,
    password_hash      TEXT,                  -- argon2id; NULL: nobody can log in until a setup link or `passwd` sets one
    role               TEXT    NOT NULL CHECK (role IN ('admin', 'reseller', 'user')),
    status             TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    suspend_reason     TEXT,
    creator_id         INTEGER REFERENCES users (id),
    package_id         INTEGER NOT NULL REFERENCES packages (id),
    full_name          TEXT,
    phone              TEXT,
    company            TEXT,
    billing_id         TEXT,                  -- the billing system's own id, digits or text as it sent it
    metadata           TEXT,                  -- the billing system's own object, kept as it came, at most 16 KiB
    max_domains        INTEGER CHECK (max_domains >= -1),
    max_databases      INTEGER CHECK (max_databases >= -1),
    max_email_accounts INTEGER CHECK (max_email_accounts >= -1),
    max_ftp_accounts   INTEGER CHECK (max_ftp_accounts >= -1),
    can_use_api        INTEGER CHECK (can_use_api IN (0, 1)),
    can_use_php        INTEGER CHECK (can_use_php IN (0, 1)),
    can_use_cgi        INTEGER CHECK (can_use_cgi IN (0, 1)),
    can_use_ssl        INTEGER CHECK (can_use_ssl IN (0, 1)),
    can_use_ssh        INTEGER CHECK (can_use_ssh IN (0, 1)),
    can_use_cron       INTEGER CHECK (can_use_cron IN (0, 1)),
    can_use_spam       INTEGER CHECK (can_use_spam IN (0, 1)),
    can_use_catchall   INTEGER CHECK (can_use_catchall IN (0, 1)),
    can_use_dnscontrol INTEGER CHECK (can_use_dnscontrol IN (0, 1)),
    can_use_sysinfo    INTEGER CHECK (can_use_sysinfo IN (0, 1)),
    last_login_at      INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    deleted_at         INTEGER
) STRICT;
CREATE UNIQUE INDEX users_by_username ON users (username_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_by_email ON users (email_key) WHERE deleted_at IS NULL;
CREATE INDEX users_by_creator ON users (creator_id, id) WHERE deleted_at IS NULL;
CREATE INDEX users_by_package ON users (package_id) WHERE deleted_at IS NULL;
CREATE INDEX users_by_billing_id ON users (billing_id, id) WHERE deleted_at IS NULL AND billing_id IS NOT NULL;
CREATE INDEX users_by_role ON users (role, id) WHERE deleted_at IS NULL;

-- What a reseller has beyond a user: ceilings and the levers to grant flags. NULL is inherited from its package.
CREATE TABLE resellers (
    user_id            INTEGER NOT NULL PRIMARY KEY REFERENCES users (id),
    max_users          INTEGER CHECK (max_users >= -1),
    max_domains        INTEGER CHECK (max_domains >= -1),
    max_databases      INTEGER CHECK (max_databases >= -1),
    max_email_accounts INTEGER CHECK (max_email_accounts >= -1),
    max_ftp_accounts   INTEGER CHECK (max_ftp_accounts >= -1),
    disk_quota_mb      INTEGER CHECK (disk_quota_mb >= -1),
    bandwidth_quota_mb INTEGER CHECK (bandwidth_quota_mb >= -1),
    can_grant_api        INTEGER CHECK (can_grant_api IN (0, 1)),
    can_grant_php        INTEGER CHECK (can_grant_php IN (0, 1)),
    can_grant_cgi        INTEGER CHECK (can_grant_cgi IN (0, 1)),
    can_grant_ssl        INTEGER CHECK (can_grant_ssl IN (0, 1)),
    can_grant_ssh        INTEGER CHECK (can_grant_ssh IN (0, 1)),
    can_grant_cron       INTEGER CHECK (can_grant_cron IN (0, 1)),
    can_grant_spam       INTEGER CHECK (can_grant_spam IN (0, 1)),
    can_grant_catchall   INTEGER CHECK (can_grant_catchall IN (0, 1)),
    can_grant_dnscontrol INTEGER CHECK (can_grant_dnscontrol IN (0, 1)),
    can_grant_sysinfo    INTEGER CHECK (can_grant_sysinfo IN (0, 1)),
    updated_at         INTEGER NOT NULL
) STRICT;

-- API keys of all three styles. What a key may do is in the columns of its style; the secret is in api_key_secrets.
CREATE TABLE api_keys (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    style           TEXT    NOT NULL CHECK (style IN ('external', 'panel', 'billing')),
    panel_id        TEXT    CHECK (length(panel_id) = 16),   -- panel: the id in URLs, 16 hex digits
    user_id         INTEGER NOT NULL REFERENCES users (id),
    created_by      INTEGER REFERENCES users (id),           -- NULL: the command line
    name            TEXT    NOT NULL,
    description     TEXT,
    display         TEXT    NOT NULL,                        -- external, panel: first 12 characters; billing: the npk_ value
    scope           TEXT    CHECK (scope IN ('read', 'write', 'delete')),
    permissions     TEXT,                                    -- panel: normalised, comma-joined, in the order given
    level           TEXT    CHECK (level IN ('READ_ONLY', 'USER', 'DEVELOPER', 'BILLING', 'ADMIN', 'SUPER_ADMIN')),
    scopes          TEXT,                                    -- billing: comma-joined
    allowed_ips     TEXT    NOT NULL DEFAULT '',             -- comma-joined networks; empty: anywhere
    rate_per_minute INTEGER CHECK (rate_per_minute >= 0),    -- NULL: the default; 0: none
    rate_per_hour   INTEGER CHECK (rate_per_hour >= 0),
    rate_per_day    INTEGER CHECK (rate_per_day >= 0),
    enabled         INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    disabled_by_admin INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_admin IN (0, 1)),
    expires_at      INTEGER,
    revoked_at      INTEGER,                                 -- final, however it came about
    generation      INTEGER NOT NULL DEFAULT 1,              -- the newest one in api_key_secrets
    last_used_at    INTEGER,
    last_used_ip    TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    CHECK ((style = 'external') = (scope IS NOT NULL)),
    CHECK ((style = 'panel') = (permissions IS NOT NULL AND panel_id IS NOT NULL)),
    CHECK ((style = 'billing') = (level IS NOT NULL AND scopes IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX api_keys_by_panel_id ON api_keys (panel_id) WHERE panel_id IS NOT NULL;
CREATE UNIQUE INDEX api_keys_by_npk ON api_keys (display) WHERE style = 'billing';
CREATE INDEX api_keys_by_display ON api_keys (display, id);
CREATE INDEX api_keys_by_user ON api_keys (user_id, style, id);
CREATE INDEX api_keys_by_style ON api_keys (style, id);
CREATE INDEX api_keys_by_creator ON api_keys (created_by) WHERE created_by IS NOT NULL;

-- Generations of a key's secret: the newest, and after a rotation the one before it until `ends_at`.
CREATE TABLE api_key_secrets (
    key_id      INTEGER NOT NULL REFERENCES api_keys (id),
    generation  INTEGER NOT NULL CHECK (generation >= 1),
    secret_hash BLOB    NOT NULL CHECK (length(secret_hash) = 32),   -- SHA-256 of the whole key; billing: of the nps_ secret
    created_at  INTEGER NOT NULL,
    replaced_at INTEGER,                      -- when a newer generation was made
    ends_at     INTEGER,                      -- when this one stops (or stopped) working
    PRIMARY KEY (key_id, generation),
    CHECK ((replaced_at IS NULL) = (ends_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_key_secrets_by_hash ON api_key_secrets (secret_hash);

-- Fixed-window counts of a key (hour and day outlive a restart).
CREATE TABLE key_usage (
    key_id       INTEGER NOT NULL REFERENCES api_keys (id),
    period       TEXT    NOT NULL CHECK (period IN ('hour', 'day')),
    window_start INTEGER NOT NULL,
    requests     INTEGER NOT NULL CHECK (requests >= 0),
    PRIMARY KEY (key_id, period)
) STRICT, WITHOUT ROWID;

-- Plans that subscribers buy; visible to every key.
CREATE TABLE services (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT    NOT NULL,
    name_key       TEXT    NOT NULL,
    download_speed INTEGER NOT NULL DEFAULT 0 CHECK (download_speed >= 0),
    upload_speed   INTEGER NOT NULL DEFAULT 0 CHECK (upload_speed >= 0),
    price          INTEGER NOT NULL DEFAULT 0 CHECK (price >= 0),
    daily_quota    INTEGER NOT NULL DEFAULT 0 CHECK (daily_quota >= 0),
    monthly_quota  INTEGER NOT NULL DEFAULT 0 CHECK (monthly_quota >= 0),
    period_value   INTEGER NOT NULL DEFAULT 1 CHECK (period_value BETWEEN 1 AND 3650),
    period_unit    TEXT    NOT NULL DEFAULT 'month' CHECK (period_unit IN ('day', 'month')),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX services_by_name ON services (name_key) WHERE deleted_at IS NULL;

-- Routers that authenticate subscribers. The secret is sealed: the router needs it back in clear.
CREATE TABLE nas (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           BLOB    NOT NULL CHECK (length(uid) = 16),
    name          TEXT    NOT NULL,
    name_key      TEXT    NOT NULL,
    ip_address    TEXT    NOT NULL,           -- an address or a network
    secret_sealed BLOB,
    type          TEXT    NOT NULL DEFAULT 'mikrotik' CHECK (type IN ('mikrotik', 'generic')),
    coa_port      INTEGER NOT NULL DEFAULT 3799 CHECK (coa_port BETWEEN 1 AND 65535),
    is_active     INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    last_seen_at  INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX nas_by_name ON nas (name_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX nas_by_ip_address ON nas (ip_address) WHERE deleted_at IS NULL;

-- Which resellers see a router.
CREATE TABLE nas_resellers (
    user_id INTEGER NOT NULL REFERENCES users (id),
    nas_id  INTEGER NOT NULL REFERENCES nas (id),
    PRIMARY KEY (user_id, nas_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX nas_resellers_by_nas ON nas_resellers (nas_id, user_id);

-- End customers (PPPoE logins). owner_id NULL is the house: rows made by any admin. `created_values` keeps what the
-- row was created with, so that a retry with the same external_id can be told from a different request.
CREATE TABLE subscribers (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uid             BLOB    NOT NULL CHECK (length(uid) = 16),
    owner_id        INTEGER REFERENCES users (id),
    username        TEXT    NOT NULL,
    username_key    TEXT    NOT NULL,
    password_sealed BLOB    NOT NULL,
    full_name       TEXT    NOT NULL DEFAULT '',
    phone           TEXT    NOT NULL DEFAULT '',
    address         TEXT    NOT NULL DEFAULT '',
    email           TEXT    NOT NULL DEFAULT '',
    note            TEXT    NOT NULL DEFAULT '',
    external_id     TEXT,
    created_values  TEXT    NOT NULL,
    status          INTEGER NOT NULL DEFAULT 1 CHECK (status IN (1, 2, 4)),   -- 3 (expired) is computed on read
    status_reason   TEXT,
    service_id      INTEGER NOT NULL REFERENCES services (id),
    nas_id          INTEGER REFERENCES nas (id),
    mac_address     TEXT,
    expiry_date     INTEGER NOT NULL,         -- the last day that works, in the configured zone
    balance         INTEGER NOT NULL DEFAULT 0,
    fup_level       INTEGER NOT NULL DEFAULT 0 CHECK (fup_level >= 0),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX subscribers_by_username ON subscribers (username_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX subscribers_by_external_id ON subscribers (external_id, coalesce(owner_id, 0))
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX subscribers_by_owner ON subscribers (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX subscribers_by_service ON subscribers (service_id, id) WHERE deleted_at IS NULL;
CREATE INDEX subscribers_by_nas ON subscribers (nas_id, id) WHERE deleted_at IS NULL AND nas_id IS NOT NULL;
CREATE INDEX subscribers_by_expiry ON subscribers (expiry_date, id) WHERE deleted_at IS NULL;
CREATE INDEX subscribers_by_change ON subscribers (updated_at, id) WHERE deleted_at IS NULL;

-- How many living subscribers there are by owner, stored status and expiry date, kept in the same write as the rows, so
-- that totals and statistics never scan. owner_key: 0 the house, else the reseller's id, and -1 everybody.
CREATE TABLE counters (
    owner_key   INTEGER NOT NULL CHECK (owner_key >= -1),
    status      INTEGER NOT NULL CHECK (status IN (1, 2, 4)),
    expiry_date INTEGER NOT NULL,
    subscribers INTEGER NOT NULL CHECK (subscribers >= 0),
    PRIMARY KEY (owner_key, status, expiry_date)
) STRICT, WITHOUT ROWID;

-- Substring search over usernames, filled after commit; the watermark says up to which id it is complete.
CREATE VIRTUAL TABLE subscriber_search USING fts5 (username_key, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE TABLE search_watermark (
    name     TEXT    NOT NULL PRIMARY KEY,
    upto_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Money: every movement of a subscriber's balance, append-only.
CREATE TABLE transactions (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id  INTEGER NOT NULL REFERENCES subscribers (id),
    owner_id       INTEGER REFERENCES users (id),   -- the subscriber's owner when it was booked; NULL: the house
    type           TEXT    NOT NULL CHECK (type IN ('payment', 'charge', 'renewal', 'refund')),
    amount         INTEGER NOT NULL CHECK (amount > 0),
    balance_before INTEGER NOT NULL,
    balance_after  INTEGER NOT NULL,
    description    TEXT    NOT NULL DEFAULT '',
    external_id    TEXT,
    created_values TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    CHECK (balance_after = balance_before + CASE WHEN type IN ('payment', 'refund') THEN amount ELSE -amount END)
) STRICT;
CREATE UNIQUE INDEX transactions_by_external_id ON transactions (external_id, coalesce(owner_id, 0))
    WHERE external_id IS NOT NULL;
CREATE INDEX transactions_by_subscriber ON transactions (subscriber_id, id);
CREATE INDEX transactions_by_owner ON transactions (owner_id, id);
CREATE INDEX transactions_by_type ON transactions (type, id);
CREATE INDEX transactions_by_time ON transactions (created_at, id);

-- How many transactions each owner has (0 the house, -1 everybody), so that the total of a list never scans.
CREATE TABLE transaction_counters (
    owner_key    INTEGER NOT NULL PRIMARY KEY CHECK (owner_key >= -1),
    transactions INTEGER NOT NULL CHECK (transactions >= 0)
) STRICT;

-- What each renewal came to, so that a retry with its external_id is answered with the first outcome.
CREATE TABLE renewals (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber_id  INTEGER NOT NULL REFERENCES subscribers (id),
    owner_id       INTEGER REFERENCES users (id),
    external_id    TEXT,
    asked          TEXT    NOT NULL,          -- periods, charge and price as asked
    expiry_before  INTEGER NOT NULL,
    expiry_after   INTEGER NOT NULL,
    transaction_id INTEGER REFERENCES transactions (id),   -- NULL: nothing was to be paid
    created_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX renewals_by_external_id ON renewals (external_id, coalesce(owner_id, 0)) WHERE external_id IS NOT NULL;
CREATE INDEX renewals_by_subscriber ON renewals (subscriber_id, id);
CREATE INDEX renewals_by_owner ON renewals (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX renewals_by_transaction ON renewals (transaction_id) WHERE transaction_id IS NOT NULL;

-- RADIUS accounting: one row for each session of a subscriber on a router; open while stopped_at is NULL.
CREATE TABLE access_sessions (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id     TEXT    NOT NULL,          -- Acct-Session-Id, unique per NAS
    subscriber_id  INTEGER NOT NULL REFERENCES subscribers (id),
    nas_id         INTEGER NOT NULL REFERENCES nas (id),
    framed_ip      TEXT,
    mac_address    TEXT,                      -- Calling-Station-Id
    download_bytes INTEGER NOT NULL DEFAULT 0 CHECK (download_bytes >= 0),
    upload_bytes   INTEGER NOT NULL DEFAULT 0 CHECK (upload_bytes >= 0),
    started_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    stopped_at     INTEGER,
    stop_cause     TEXT
) STRICT;
CREATE UNIQUE INDEX access_sessions_by_session ON access_sessions (nas_id, session_id, started_at);
CREATE INDEX access_sessions_by_subscriber ON access_sessions (subscriber_id, started_at);
CREATE INDEX access_sessions_open ON access_sessions (subscriber_id) WHERE stopped_at IS NULL;
CREATE INDEX access_sessions_open_by_nas ON access_sessions (nas_id) WHERE stopped_at IS NULL;

-- Traffic of a subscriber by calendar day, so that a session over midnight counts on both days.
CREATE TABLE subscriber_usage (
    subscriber_id  INTEGER NOT NULL REFERENCES subscribers (id),
    day            INTEGER NOT NULL,
    download_bytes INTEGER NOT NULL DEFAULT 0 CHECK (download_bytes >= 0),
    upload_bytes   INTEGER NOT NULL DEFAULT 0 CHECK (upload_bytes >= 0),
    PRIMARY KEY (subscriber_id, day)
) STRICT, WITHOUT ROWID;

-- Logins. Only the SHA-256 of the session id that the token carries is kept.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    audience     TEXT    NOT NULL CHECK (audience IN ('panel', 'admin')),
    token_hash   BLOB    NOT NULL CHECK (length(token_hash) = 32),
    ip           TEXT,
    user_agent   TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX sessions_by_token ON sessions (token_hash);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- The family of refresh tokens of an admin session; a rotated one that comes back late ends the session.
CREATE TABLE refresh_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    rotated_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- Failed logins: one row for each (address, account) and one for each account over all addresses (ip = '').
CREATE TABLE login_attempts (
    username_key TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    failures     INTEGER NOT NULL CHECK (failures >= 0),
    locked_until INTEGER,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (username_key, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_attempts_by_time ON login_attempts (updated_at);

-- One-time links that let somebody set a user's password; they die with their use.
CREATE TABLE setup_links (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX setup_links_by_user ON setup_links (user_id);

-- Answers kept for 24 hours under the caller's Idempotency-Key, written in the transaction of the effect.
CREATE TABLE idempotency (
    caller      TEXT    NOT NULL,             -- key:<id> or user:<id>
    method      TEXT    NOT NULL,
    target      TEXT    NOT NULL,             -- path and query
    header      TEXT    NOT NULL,
    body_sha256 BLOB    NOT NULL CHECK (length(body_sha256) = 32),
    status      INTEGER NOT NULL CHECK (status BETWEEN 200 AND 299),
    answer      BLOB    NOT NULL,             -- secrets in it are null
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (caller, method, target, header)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (created_at);

-- One row for each change, in the transaction of the change. Secrets are masked in before and after (JSON text).
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    actor_kind   TEXT    NOT NULL CHECK (actor_kind IN ('key', 'session', 'operator', 'setup', 'system')),
    actor_user_id INTEGER,
    actor_key_id INTEGER,
    actor_name   TEXT    NOT NULL,
    surface      TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    object_kind  TEXT    NOT NULL,
    object_id    INTEGER,
    before       TEXT,
    after        TEXT,
    ip           TEXT,
    request_id   TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_object ON audit (object_kind, object_id, id);
CREATE INDEX audit_by_actor ON audit (actor_name, id);

-- Effects on the world that wait to be carried out after the commit that decided them.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    done_at    INTEGER
) STRICT;
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE done_at IS NULL;

-- Who runs a job that only one process may run.
CREATE TABLE leases (
    name       TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

-- file: panel-logs.db

-- One row for each request that presented a key that exists, whatever its answer.
CREATE TABLE api_key_logs (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    method     TEXT    NOT NULL,
    route      TEXT    NOT NULL,              -- the path template
    path       TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    gate       TEXT,                          -- the gate that refused, if one did
    ip         TEXT,
    latency_us INTEGER NOT NULL,
    request_id TEXT    NOT NULL
) STRICT;
CREATE INDEX api_key_logs_by_key ON api_key_logs (key_id, id);
CREATE INDEX api_key_logs_by_time ON api_key_logs (at);

-- How many rows could not be kept, by the hour they were dropped in.
CREATE TABLE dropped_logs (
    hour INTEGER NOT NULL PRIMARY KEY,
    rows INTEGER NOT NULL CHECK (rows > 0)
) STRICT;
