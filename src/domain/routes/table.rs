//! The rows. Sources: the seeds' tables, and the contract page of each surface.

use Method::{Delete, Get, Post, Put};

use super::{Entry, Method, Need, PanelNeed, Route, Surface};
use crate::domain::keys::{BillingScope, Level, Permission, Scope};
use crate::domain::users::Role;

const fn external(method: Method, path: &'static str, scope: Scope, action: &'static str) -> Route {
    let need = Need::External(Some(scope));
    Route {
        surface: Surface::External,
        method,
        path,
        need,
        role: Role::Reseller,
        entry: Entry::Closed,
        action,
        served: false,
    }
}

const fn panel(method: Method, path: &'static str, need: PanelNeed, role: Role, action: &'static str) -> Route {
    let need = Need::Panel(need);
    Route { surface: Surface::Panel, method, path, need, role, entry: Entry::Closed, action, served: false }
}

const fn billing(
    method: Method,
    path: &'static str,
    level: Level,
    scopes: &'static [&'static [BillingScope]],
    action: &'static str,
) -> Route {
    let need = Need::Billing { level, scopes };
    Route {
        surface: Surface::Billing,
        method,
        path,
        need,
        role: Role::User,
        entry: Entry::Closed,
        action,
        served: false,
    }
}

const fn admin(method: Method, path: &'static str, role: Role, action: &'static str) -> Route {
    Route {
        surface: Surface::Admin,
        method,
        path,
        need: Need::Admin,
        role,
        entry: Entry::Closed,
        action,
        served: false,
    }
}

const fn public(method: Method, path: &'static str, surface: Surface, action: &'static str) -> Route {
    Route { surface, method, path, need: Need::Nobody, role: Role::User, entry: Entry::Closed, action, served: false }
}

impl Route {
    const fn served(mut self) -> Self {
        self.served = true;
        self
    }

    const fn open_unmetered(mut self) -> Self {
        self.entry = Entry::OpenUnmetered;
        self
    }
}

const fn health_of_external() -> Route {
    let mut route = external(Get, "/api/v1/external/system/health", Scope::Read, "system.health").open_unmetered();
    route.need = Need::External(None);
    // Gates 1-10 only (contract: external.md, System).
    route.role = Role::User;
    route
}

pub(super) const EXTERNAL: &[Route] = &[
    external(Get, "/api/v1/external/subscribers", Scope::Read, "subscribers.list").served(),
    external(Get, "/api/v1/external/subscribers/{id}", Scope::Read, "subscribers.get").served(),
    external(Get, "/api/v1/external/subscribers/by-username/{username}", Scope::Read, "subscribers.get_by_username")
        .served(),
    external(Post, "/api/v1/external/subscribers", Scope::Write, "subscribers.create").served(),
    external(Put, "/api/v1/external/subscribers/{id}", Scope::Write, "subscribers.update").served(),
    external(Delete, "/api/v1/external/subscribers/{id}", Scope::Delete, "subscribers.delete").served(),
    external(Post, "/api/v1/external/subscribers/{id}/suspend", Scope::Write, "subscribers.suspend").served(),
    external(Post, "/api/v1/external/subscribers/{id}/activate", Scope::Write, "subscribers.activate").served(),
    external(Post, "/api/v1/external/subscribers/{id}/renew", Scope::Write, "subscribers.renew").served(),
    external(Get, "/api/v1/external/subscribers/{id}/usage", Scope::Read, "subscribers.usage").served(),
    external(Get, "/api/v1/external/services", Scope::Read, "services.list").served(),
    external(Get, "/api/v1/external/services/{id}", Scope::Read, "services.get").served(),
    external(Get, "/api/v1/external/nas", Scope::Read, "nas.list").served(),
    external(Get, "/api/v1/external/nas/{id}", Scope::Read, "nas.get").served(),
    external(Get, "/api/v1/external/transactions", Scope::Read, "transactions.list").served(),
    external(Post, "/api/v1/external/transactions", Scope::Write, "transactions.create").served(),
    external(Get, "/api/v1/external/system/stats", Scope::Read, "system.stats").served(),
    health_of_external().served(),
];

const NOTHING: PanelNeed = PanelNeed::Nothing;
const SESSION: PanelNeed = PanelNeed::Session;
const PLAIN: PanelNeed = PanelNeed::Resource(None);

pub(super) const PANEL: &[Route] = &[
    public(Post, "/api/v1/auth/login", Surface::Panel, "auth.login").served(),
    panel(Post, "/api/v1/auth/logout", SESSION, Role::User, "auth.logout").served(),
    panel(Post, "/api/v1/auth/refresh", SESSION, Role::User, "auth.refresh").served(),
    panel(Get, "/api/v1/auth/me", NOTHING, Role::User, "auth.me").served(),
    panel(Get, "/api/v1/users", PLAIN, Role::User, "users.list").served(),
    panel(Post, "/api/v1/users", PLAIN, Role::Reseller, "users.create").served(),
    panel(Get, "/api/v1/users/{username}", PLAIN, Role::User, "users.get").served(),
    panel(Put, "/api/v1/users/{username}", PLAIN, Role::User, "users.update").served(),
    panel(Delete, "/api/v1/users/{username}", PLAIN, Role::Reseller, "users.delete").served(),
    panel(Post, "/api/v1/users/{username}/suspend", PLAIN, Role::Reseller, "users.suspend").served(),
    panel(Post, "/api/v1/users/{username}/unsuspend", PLAIN, Role::Reseller, "users.unsuspend").served(),
    panel(Get, "/api/v1/users/{username}/features", PLAIN, Role::User, "features.get").served(),
    panel(Put, "/api/v1/users/{username}/features", PLAIN, Role::Reseller, "features.update").served(),
    panel(Post, "/api/v1/users/{username}/api-keys", PLAIN, Role::User, "keys.create").served(),
    panel(Get, "/api/v1/users/{username}/api-keys", PLAIN, Role::User, "keys.list").served(),
    panel(Put, "/api/v1/users/{username}/api-keys/{id}", PLAIN, Role::User, "keys.update").served(),
    panel(Post, "/api/v1/users/{username}/api-keys/{id}/toggle", PLAIN, Role::User, "keys.toggle").served(),
    panel(Delete, "/api/v1/users/{username}/api-keys/{id}", PLAIN, Role::User, "keys.delete").served(),
    panel(Get, "/api/v1/resellers", PLAIN, Role::Reseller, "resellers.list").served(),
    panel(Post, "/api/v1/resellers", PLAIN, Role::Admin, "resellers.create").served(),
    panel(Post, "/api/v1/resellers/transfer-user", PLAIN, Role::Admin, "resellers.transfer_user"),
    panel(Get, "/api/v1/resellers/{username}", PLAIN, Role::Reseller, "resellers.get").served(),
    panel(Put, "/api/v1/resellers/{username}", PLAIN, Role::Admin, "resellers.update").served(),
    panel(Delete, "/api/v1/resellers/{username}", PLAIN, Role::Admin, "resellers.delete").served(),
    panel(Get, "/api/v1/resellers/{username}/limits", PLAIN, Role::Reseller, "resellers.limits").served(),
    panel(Put, "/api/v1/resellers/{username}/limits", PLAIN, Role::Admin, "resellers.update_limits").served(),
    panel(Get, "/api/v1/resellers/{username}/users", PLAIN, Role::Reseller, "resellers.users").served(),
    panel(Get, "/api/v1/packages", PLAIN, Role::User, "packages.list").served(),
    panel(Post, "/api/v1/packages", PLAIN, Role::Admin, "packages.create").served(),
    panel(Get, "/api/v1/packages/{name}", PLAIN, Role::User, "packages.get").served(),
    panel(Put, "/api/v1/packages/{name}", PLAIN, Role::Admin, "packages.update").served(),
    panel(Delete, "/api/v1/packages/{name}", PLAIN, Role::Admin, "packages.delete").served(),
];

const fn later(method: Method, path: &'static str, permission: Option<Permission>) -> Route {
    panel(method, path, PanelNeed::Resource(permission), Role::User, "later")
}

macro_rules! later {
    ($($path:literal: $permission:expr),* $(,)?) => {
        &[$(
            later(Get, $path, $permission),
            later(Post, $path, $permission),
            later(Put, $path, $permission),
            later(Delete, $path, $permission),
        )*]
    };
}

/// Prefixes of the hosting business: gated from the start, 501 until they are built (contract: panel.md, Later).
/// A row stands for its path and everything below it.
pub(super) const LATER: &[Route] = later! {
    "/api/v1/domains": Some(Permission::Domains),
    "/api/v1/subdomains": Some(Permission::Domains),
    "/api/v1/dns": Some(Permission::Dns),
    "/api/v1/ssl": Some(Permission::Ssl),
    "/api/v1/databases": Some(Permission::Database),
    "/api/v1/email": Some(Permission::Email),
    "/api/v1/files": Some(Permission::Files),
    "/api/v1/ftp": Some(Permission::Ftp),
    "/api/v1/backups": Some(Permission::Backup),
    "/api/v1/restore": Some(Permission::Backup),
    "/api/v1/backup-schedules": Some(Permission::Backup),
    "/api/v1/webhooks": None,
    "/api/v1/auth/sso": None,
};

const CREATION: &[&[BillingScope]] =
    &[&[BillingScope::AccountCreation], &[BillingScope::AccountManagement, BillingScope::UserManagement]];
const MANAGEMENT: &[&[BillingScope]] = &[&[BillingScope::AccountManagement]];
const SUSPENSION: &[&[BillingScope]] = &[&[BillingScope::AccountManagement], &[BillingScope::BillingOperations]];

pub(super) const BILLING: &[Route] = &[
    billing(Get, "/api/v1/billing/accounts", Level::ReadOnly, &[], "accounts.list").served(),
    billing(Post, "/api/v1/billing/accounts", Level::Billing, CREATION, "accounts.create").served(),
    billing(Get, "/api/v1/billing/accounts/{id}", Level::ReadOnly, &[], "accounts.get").served(),
    billing(Put, "/api/v1/billing/accounts/{id}", Level::Billing, MANAGEMENT, "accounts.update").served(),
    billing(Delete, "/api/v1/billing/accounts/{id}", Level::Billing, MANAGEMENT, "accounts.delete").served(),
    billing(Post, "/api/v1/billing/accounts/{id}/suspend", Level::Billing, SUSPENSION, "accounts.suspend").served(),
    billing(Post, "/api/v1/billing/accounts/{id}/unsuspend", Level::Billing, SUSPENSION, "accounts.unsuspend").served(),
    billing(Get, "/api/v1/billing/accounts/{id}/stats", Level::ReadOnly, &[], "accounts.stats").served(),
    billing(Get, "/api/v1/billing/whoami", Level::ReadOnly, &[], "whoami").served(),
    billing(Get, "/api/health", Level::Billing, CREATION, "health").open_unmetered().served(),
];

pub(super) const ADMIN: &[Route] = &[
    public(Get, "/setup/{token}", Surface::Admin, "setup.form").served(),
    public(Post, "/setup/{token}", Surface::Admin, "setup.set_password").served(),
    public(Get, "/openapi.json", Surface::Admin, "openapi.document").served(),
    public(Get, "/docs", Surface::Admin, "openapi.page").served(),
    public(Post, "/api/auth/login", Surface::Admin, "auth.login").served(),
    public(Post, "/api/auth/login/json", Surface::Admin, "auth.login_json").served(),
    public(Post, "/api/auth/refresh", Surface::Admin, "auth.refresh").served(),
    admin(Post, "/api/auth/logout", Role::Reseller, "auth.logout").served(),
    admin(Get, "/api/auth/me", Role::Reseller, "auth.me").served(),
    admin(Post, "/api/auth/password", Role::Reseller, "auth.password").served(),
    admin(Get, "/api/auth/sessions", Role::Reseller, "sessions.list").served(),
    admin(Delete, "/api/auth/sessions", Role::Reseller, "sessions.delete_all").served(),
    admin(Get, "/api/auth/sessions/{id}", Role::Reseller, "sessions.get").served(),
    admin(Delete, "/api/auth/sessions/{id}", Role::Reseller, "sessions.delete").served(),
    admin(Get, "/api/api-keys", Role::Admin, "keys.list").served(),
    admin(Post, "/api/api-keys", Role::Admin, "keys.create").served(),
    admin(Get, "/api/api-keys/stats", Role::Admin, "keys.stats").served(),
    admin(Get, "/api/api-keys/{id}", Role::Admin, "keys.get").served(),
    admin(Put, "/api/api-keys/{id}", Role::Admin, "keys.update").served(),
    admin(Delete, "/api/api-keys/{id}", Role::Admin, "keys.revoke").served(),
    admin(Get, "/api/api-keys/{id}/logs", Role::Admin, "keys.logs").served(),
    admin(Post, "/api/api-keys/{id}/rotate", Role::Admin, "keys.rotate").served(),
    admin(Post, "/api/api-keys/{id}/can", Role::Admin, "keys.can").served(),
    admin(Get, "/api/services", Role::Reseller, "services.list").served(),
    admin(Post, "/api/services", Role::Admin, "services.create").served(),
    admin(Get, "/api/services/{id}", Role::Admin, "services.get").served(),
    admin(Put, "/api/services/{id}", Role::Admin, "services.update").served(),
    admin(Delete, "/api/services/{id}", Role::Admin, "services.delete").served(),
    admin(Get, "/api/nas", Role::Admin, "nas.list").served(),
    admin(Post, "/api/nas", Role::Admin, "nas.create").served(),
    admin(Get, "/api/nas/{id}", Role::Admin, "nas.get").served(),
    admin(Put, "/api/nas/{id}", Role::Admin, "nas.update").served(),
    admin(Delete, "/api/nas/{id}", Role::Admin, "nas.delete").served(),
    admin(Get, "/api/subscribers", Role::Reseller, "subscribers.list").served(),
    admin(Post, "/api/subscribers", Role::Reseller, "subscribers.create").served(),
    admin(Get, "/api/subscribers/{id}", Role::Reseller, "subscribers.get").served(),
    admin(Put, "/api/subscribers/{id}", Role::Reseller, "subscribers.update").served(),
    admin(Delete, "/api/subscribers/{id}", Role::Reseller, "subscribers.delete").served(),
    admin(Get, "/api/audit", Role::Admin, "audit.list").served(),
];

const fn unknown_row(surface: Surface, method: Method, need: Need) -> Route {
    Route {
        surface,
        method,
        path: "(unknown)",
        need,
        role: Role::User,
        entry: Entry::Closed,
        action: "unknown",
        served: false,
    }
}

const ANY_EXTERNAL: Need = Need::External(None);
const ANY_BILLING: Need = Need::Billing { level: Level::ReadOnly, scopes: &[] };

/// One for each surface and method, for what the table does not have.
pub(super) const UNKNOWN: &[Route] = &[
    unknown_row(Surface::External, Get, ANY_EXTERNAL),
    unknown_row(Surface::External, Post, ANY_EXTERNAL),
    unknown_row(Surface::External, Put, ANY_EXTERNAL),
    unknown_row(Surface::External, Delete, ANY_EXTERNAL),
    unknown_row(Surface::Panel, Get, Need::Panel(PLAIN)),
    unknown_row(Surface::Panel, Post, Need::Panel(PLAIN)),
    unknown_row(Surface::Panel, Put, Need::Panel(PLAIN)),
    unknown_row(Surface::Panel, Delete, Need::Panel(PLAIN)),
    unknown_row(Surface::Billing, Get, ANY_BILLING),
    unknown_row(Surface::Billing, Post, ANY_BILLING),
    unknown_row(Surface::Billing, Put, ANY_BILLING),
    unknown_row(Surface::Billing, Delete, ANY_BILLING),
    unknown_row(Surface::Admin, Get, Need::Nobody),
    unknown_row(Surface::Admin, Post, Need::Nobody),
    unknown_row(Surface::Admin, Put, Need::Nobody),
    unknown_row(Surface::Admin, Delete, Need::Nobody),
];
