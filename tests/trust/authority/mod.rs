//! Who may touch what: every route of the table against another reseller's credentials, against a credential that is one
//! step too low, and with fields in its body that nobody may set. A route without a row here fails.

mod house;
mod objects;
mod properties;

use panel::domain::routes::{Route, Surface};

use crate::values::described::Operation;

/// What a reseller gets of what is another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The answer to what is not there, to the bit.
    Gone,
    /// 403: no route for a reseller.
    Role,
    /// It is everybody's, and said to everybody.
    Open,
    /// It names nothing: lists and totals of one's own, or makes one's own.
    Own,
    /// 400: a reference in the body that does not exist, as far as the caller knows.
    Reference,
}

use Says::{Gone, Open, Own, Reference, Role as NotAllowed};

/// Every route that is served, by its path; what a list of methods has in common stands once.
const ROWS: &[(&str, &str, Says)] = &[
    ("GET POST", "/api/v1/external/subscribers", Own),
    ("GET PUT DELETE", "/api/v1/external/subscribers/{id}", Gone),
    ("GET", "/api/v1/external/subscribers/by-username/{username}", Gone),
    ("POST", "/api/v1/external/subscribers/{id}/suspend", Gone),
    ("POST", "/api/v1/external/subscribers/{id}/activate", Gone),
    ("POST", "/api/v1/external/subscribers/{id}/renew", Gone),
    ("GET", "/api/v1/external/subscribers/{id}/usage", Gone),
    ("GET", "/api/v1/external/services", Open),
    ("GET", "/api/v1/external/services/{id}", Open),
    ("GET", "/api/v1/external/nas", Own),
    ("GET", "/api/v1/external/nas/{id}", Gone),
    ("GET", "/api/v1/external/transactions", Own),
    ("POST", "/api/v1/external/transactions", Reference),
    ("GET", "/api/v1/external/system/stats", Own),
    ("GET", "/api/v1/external/system/health", Open),
    ("POST", "/api/v1/auth/login", Open),
    ("POST", "/api/v1/auth/logout", Own),
    ("POST", "/api/v1/auth/refresh", Own),
    ("GET", "/api/v1/auth/me", Own),
    ("GET POST", "/api/v1/users", Own),
    ("GET PUT DELETE", "/api/v1/users/{username}", Gone),
    ("POST", "/api/v1/users/{username}/suspend", Gone),
    ("POST", "/api/v1/users/{username}/unsuspend", Gone),
    ("GET PUT", "/api/v1/users/{username}/features", Gone),
    ("GET POST", "/api/v1/users/{username}/api-keys", Gone),
    ("PUT DELETE", "/api/v1/users/{username}/api-keys/{id}", Gone),
    ("POST", "/api/v1/users/{username}/api-keys/{id}/toggle", Gone),
    ("GET", "/api/v1/resellers", Own),
    ("POST", "/api/v1/resellers", NotAllowed),
    ("GET", "/api/v1/resellers/{username}", Gone),
    ("PUT DELETE", "/api/v1/resellers/{username}", NotAllowed),
    ("GET", "/api/v1/resellers/{username}/limits", Gone),
    ("PUT", "/api/v1/resellers/{username}/limits", NotAllowed),
    ("GET", "/api/v1/resellers/{username}/users", Gone),
    ("GET", "/api/v1/packages", Open),
    ("POST", "/api/v1/packages", NotAllowed),
    ("GET", "/api/v1/packages/{name}", Open),
    ("PUT DELETE", "/api/v1/packages/{name}", NotAllowed),
    ("GET POST", "/api/v1/billing/accounts", Own),
    ("GET PUT DELETE", "/api/v1/billing/accounts/{id}", Gone),
    ("POST", "/api/v1/billing/accounts/{id}/suspend", Gone),
    ("POST", "/api/v1/billing/accounts/{id}/unsuspend", Gone),
    ("GET", "/api/v1/billing/accounts/{id}/stats", Gone),
    ("GET", "/api/v1/billing/whoami", Own),
    ("GET", "/api/health", Open),
    ("GET POST", "/setup/{token}", Gone),
    ("GET", "/openapi.json", Open),
    ("GET", "/docs", Open),
    ("POST", "/api/auth/login", Open),
    ("POST", "/api/auth/login/json", Open),
    ("POST", "/api/auth/refresh", Open),
    ("POST", "/api/auth/logout", Own),
    ("GET", "/api/auth/me", Own),
    ("POST", "/api/auth/password", Own),
    ("GET DELETE", "/api/auth/sessions", Own),
    ("GET DELETE", "/api/auth/sessions/{id}", Gone),
    ("GET POST", "/api/api-keys", NotAllowed),
    ("GET", "/api/api-keys/stats", NotAllowed),
    ("GET PUT DELETE", "/api/api-keys/{id}", NotAllowed),
    ("GET", "/api/api-keys/{id}/logs", NotAllowed),
    ("POST", "/api/api-keys/{id}/rotate", NotAllowed),
    ("POST", "/api/api-keys/{id}/can", NotAllowed),
    ("GET", "/api/services", Open),
    ("POST", "/api/services", NotAllowed),
    ("GET PUT DELETE", "/api/services/{id}", NotAllowed),
    ("GET POST", "/api/nas", NotAllowed),
    ("GET PUT DELETE", "/api/nas/{id}", NotAllowed),
    ("GET POST", "/api/subscribers", Own),
    ("GET PUT DELETE", "/api/subscribers/{id}", Gone),
    ("GET", "/api/audit", NotAllowed),
];

fn row(route: &Route) -> Option<Says> {
    let is_it = |(methods, path, _): &&(&str, &str, Says)| {
        *path == route.path && methods.split(' ').any(|method| method == route.method.as_str())
    };
    ROWS.iter().find(is_it).map(|(_, _, says)| *says)
}

#[test]
fn every_served_route_has_a_row_and_every_row_a_route() {
    let served = || Surface::ALL.into_iter().flat_map(Surface::routes).filter(|route| route.served);
    let missing: Vec<_> = served().filter(|route| row(route).is_none()).map(ToString::to_string).collect();
    assert_eq!(missing, Vec::<String>::new(), "say here what a reseller gets of it that is another's");
    let rows = ROWS.iter().map(|(methods, _, _)| methods.split(' ').count()).sum::<usize>();
    assert_eq!(rows, served().count(), "a row without a route");
}

/// What ends sessions is for the tests of sessions.
fn ends_sessions(of: &Operation) -> bool {
    matches!(of.route.action, "auth.logout" | "auth.refresh" | "auth.password" | "sessions.delete_all")
}
