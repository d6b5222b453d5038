//! Who may do what to whom on the panel surface: the one table that a person can hold against the contract.

/// What a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// 200, or 201 of what makes something.
    Yes,
    /// 403 `Admin access required`: visible, but not allowed; or a route of a higher role.
    Role,
    /// 403 `Session required`.
    Session,
    /// 403 that names a field.
    Field,
    /// 404, the same for what is invisible as for what is not there.
    Gone,
    /// 409.
    Busy,
    /// The caller has none such.
    Na,
}

use Says::{Busy as BUSY, Field as FLD, Gone as GON, Na as N_A, Role as ROL, Session as SES, Yes as YES};

/// What the route needs of a key beyond its owner's role (seed: "Permission scope").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// No credential is looked at.
    Open,
    /// Any key.
    Any,
    /// No key.
    None,
    /// `read` for a GET, `all` for the rest; no resource here has a word of its own.
    Plain,
}

pub struct Row {
    pub route: &'static str,
    /// The JSON that would do it.
    pub body: &'static str,
    pub key: Key,
    /// The caller itself, one that it owns, a stranger's, nobody.
    pub admin: [Says; 4],
    pub reseller: [Says; 4],
    pub user: [Says; 4],
    /// Where a key with `all` gets less than its owner's session on itself.
    pub own_key: Option<Says>,
}

const fn row(
    route: &'static str,
    body: &'static str,
    key: Key,
    admin: [Says; 4],
    reseller: [Says; 4],
    user: [Says; 4],
) -> Row {
    Row { route, body, key, admin, reseller, user, own_key: None }
}

impl Row {
    const fn own_key(mut self, says: Says) -> Self {
        self.own_key = Some(says);
        self
    }
}

const ALL_OF_IT: [Says; 4] = [YES, N_A, N_A, N_A];
const NOT_THIS_ROLE: [Says; 4] = [ROL, ROL, ROL, ROL];
const EMAIL: &str = r#"{"email": "changed-<n>@example.com"}"#;
const NEW: &str = r#"{"username": "new<n>", "email": "new<n>@example.com", "password": "violet-otter 1871"}"#;

/// A user's targets: itself, none of its own, another's, nobody. A reseller's: itself, a user of its, another's, nobody.
/// An admin's: itself, a user of the house, a reseller's user, nobody. Of /resellers: of an admin a reseller of the house
/// and one of another admin's, of a reseller a user that it owns and another reseller. Of /packages: the caller's own
/// (`default`), one that nobody has, one that a stranger has, none.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("POST /api/v1/auth/login", r#"{"username": "<me>", "password": "violet-otter 1871"}"#, Key::Open, ALL_OF_IT, ALL_OF_IT, ALL_OF_IT),
    row("POST /api/v1/auth/logout", "{}", Key::None, ALL_OF_IT, ALL_OF_IT, ALL_OF_IT),
    row("POST /api/v1/auth/refresh", "{}", Key::None, ALL_OF_IT, ALL_OF_IT, ALL_OF_IT),
    row("GET /api/v1/auth/me", "", Key::Any, ALL_OF_IT, ALL_OF_IT, ALL_OF_IT),

    //                                                              admin: itself own  other none  reseller             user
    row("GET /api/v1/users", "", Key::Plain,                               ALL_OF_IT,            ALL_OF_IT,            ALL_OF_IT),
    row("POST /api/v1/users", NEW, Key::Plain,                             ALL_OF_IT,            ALL_OF_IT,            [ROL, N_A, N_A, N_A]),
    row("GET /api/v1/users/{username}", "", Key::Plain,                    [YES, YES, YES, GON], [YES, YES, GON, GON], [YES, N_A, GON, GON]),
    row("PUT /api/v1/users/{username}", EMAIL, Key::Plain,                 [YES, YES, YES, GON], [YES, YES, GON, GON], [YES, N_A, GON, GON]).own_key(SES),
    row("DELETE /api/v1/users/{username}", "{}", Key::Plain,               [YES, YES, YES, GON], [ROL, YES, GON, GON], [ROL, N_A, ROL, ROL]),
    row("POST /api/v1/users/{username}/suspend", "{}", Key::Plain,         [YES, YES, YES, GON], [ROL, YES, GON, GON], [ROL, N_A, ROL, ROL]),
    row("POST /api/v1/users/{username}/unsuspend", "{}", Key::Plain,       [YES, YES, YES, GON], [ROL, YES, GON, GON], [ROL, N_A, ROL, ROL]),
    row("GET /api/v1/users/{username}/features", "", Key::Plain,           [YES, YES, YES, GON], [YES, YES, GON, GON], [YES, N_A, GON, GON]),
    row("PUT /api/v1/users/{username}/features", r#"{"php": false}"#, Key::Plain, [YES, YES, YES, GON], [ROL, YES, GON, GON], [ROL, N_A, ROL, ROL]),

    // The seed: "an admin can issue for any user; a user can issue for themselves (reseller = for themselves)".
    row("POST /api/v1/users/{username}/api-keys", r#"{"name": "x"}"#, Key::Plain, [YES, YES, YES, GON], [YES, ROL, GON, GON], [YES, N_A, GON, GON]),
    row("GET /api/v1/users/{username}/api-keys", "", Key::Plain,           [YES, YES, YES, GON], [YES, YES, GON, GON], [YES, N_A, GON, GON]),
    row("PUT /api/v1/users/{username}/api-keys/{id}", r#"{"name": "y"}"#, Key::Plain, [YES, YES, YES, GON], [YES, ROL, GON, GON], [YES, N_A, GON, GON]),
    row("POST /api/v1/users/{username}/api-keys/{id}/toggle", "{}", Key::Plain, [YES, YES, YES, GON], [YES, ROL, GON, GON], [YES, N_A, GON, GON]),
    row("DELETE /api/v1/users/{username}/api-keys/{id}", "{}", Key::Plain, [YES, YES, YES, GON], [YES, ROL, GON, GON], [YES, N_A, GON, GON]),

    // "admin only (a reseller reads its own)"
    row("GET /api/v1/resellers", "", Key::Plain,                           ALL_OF_IT,            ALL_OF_IT,            [ROL, N_A, N_A, N_A]),
    row("POST /api/v1/resellers", NEW, Key::Plain,                         ALL_OF_IT,            [ROL, N_A, N_A, N_A], [ROL, N_A, N_A, N_A]),
    row("GET /api/v1/resellers/{username}", "", Key::Plain,                [GON, YES, YES, GON], [YES, GON, GON, GON], NOT_THIS_ROLE),
    row("PUT /api/v1/resellers/{username}", r#"{"can_grant_api": false}"#, Key::Plain, [GON, YES, YES, GON], NOT_THIS_ROLE, NOT_THIS_ROLE),
    row("DELETE /api/v1/resellers/{username}", "{}", Key::Plain,           [GON, YES, YES, GON], NOT_THIS_ROLE,        NOT_THIS_ROLE),
    row("GET /api/v1/resellers/{username}/limits", "", Key::Plain,         [GON, YES, YES, GON], [YES, GON, GON, GON], NOT_THIS_ROLE),
    row("PUT /api/v1/resellers/{username}/limits", r#"{"max_users": 3}"#, Key::Plain, [GON, YES, YES, GON], NOT_THIS_ROLE, NOT_THIS_ROLE),
    row("GET /api/v1/resellers/{username}/users", "", Key::Plain,          [GON, YES, YES, GON], [YES, GON, GON, GON], NOT_THIS_ROLE),

    row("GET /api/v1/packages", "", Key::Plain,                            ALL_OF_IT,            ALL_OF_IT,            ALL_OF_IT),
    row("POST /api/v1/packages", r#"{"name": "new<n>"}"#, Key::Plain,      ALL_OF_IT,            [ROL, N_A, N_A, N_A], [ROL, N_A, N_A, N_A]),
    row("GET /api/v1/packages/{name}", "", Key::Plain,                     [YES, YES, YES, GON], [YES, YES, YES, GON], [YES, YES, YES, GON]),
    row("PUT /api/v1/packages/{name}", r#"{"max_users": 7}"#, Key::Plain,  [YES, YES, YES, GON], NOT_THIS_ROLE,        NOT_THIS_ROLE),
    row("DELETE /api/v1/packages/{name}", "{}", Key::Plain,                [BUSY, YES, BUSY, GON], NOT_THIS_ROLE,      NOT_THIS_ROLE),
];

/// On the caller itself: a field that is known, and not the caller's to set (README.md, Every answer).
#[rustfmt::skip]
pub const FIELDS: &[(&str, &str, Says, Says, Says)] = &[
    //                     body                         admin reseller user
    ("PUT /api/v1/users/{username}", r#"{"role": "reseller"}"#,         YES, YES, FLD),
    ("PUT /api/v1/users/{username}", r#"{"role": "user"}"#,             YES, FLD, YES),
    ("PUT /api/v1/users/{username}", r#"{"role": "admin"}"#,            YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"package": "other"}"#,         YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"package": "default"}"#,       YES, YES, YES),
    ("PUT /api/v1/users/{username}", r#"{"max_domains": 5}"#,           YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"max_databases": 5}"#,         YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"max_email_accounts": 5}"#,    YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"max_ftp_accounts": 5}"#,      YES, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"username": "other"}"#,        FLD, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"status": "suspended"}"#,      FLD, FLD, FLD),
    ("PUT /api/v1/users/{username}", r#"{"status": "active"}"#,         YES, YES, YES),
    ("PUT /api/v1/users/{username}", r#"{"unknown": 1, "email": null}"#, YES, YES, YES),
];
