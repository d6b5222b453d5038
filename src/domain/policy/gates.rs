//! Gates 4-13 over a known key: which fail, and what would make each pass.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::{Asked, Denied, Gate, KeyFacts, OwnerFacts, Window};
use crate::domain::addresses::MAX_ENTRIES;
use crate::domain::keys::{self, BillingScope, Grants, Level, Permission, Scope, Style};
use crate::domain::routes::{Entry, Method, Need, PanelNeed, Route, Surface};
use crate::domain::time::Timestamp;
use crate::domain::users::Role;

/// The secret of one style opens no other.
pub(super) fn accepts_style(route: &Route, key: &KeyFacts) -> bool {
    let wanted = match route.surface {
        Surface::External => Style::External,
        Surface::Panel => Style::Panel,
        Surface::Billing => Style::Billing,
        Surface::Admin => return false,
    };
    key.grants.style() == wanted
}

pub(super) fn failing(asked: &Asked<'_>, key: &KeyFacts) -> Vec<Denied> {
    let mut failing = Vec::new();
    let id = || key.reference();
    if !key.enabled {
        failing.push(denied(Gate::Enabled, "enabled", "disabled", Some(format!("panel key update {} --enable", id()))));
    }
    if let Some(end) = key.expires_at.filter(|end| *end <= asked.now) {
        let have = format!("expired {}", end.rfc3339());
        // A date and not a duration: the question may be about another day than today.
        let year = asked.now.plus_millis(365 * Timestamp::DAY).date_in(Tz::UTC).iso();
        let fix = format!("panel key update {} --expires {year}", id());
        failing.push(denied(Gate::Expired, "an expiry in the future", have, Some(fix)));
    }
    match &key.owner {
        None => failing.push(denied(Gate::Owner, "an existing owner", "a deleted one", None)),
        Some(owner) => {
            active_gate(owner, &mut failing);
            if !owner.api_access {
                failing.push(no_api_access(&owner.username));
            }
        }
    }
    if !key.allowed_ips.allows(asked.ip) {
        let have = asked.ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        // A full list takes no more; which entry may go, nobody but its owner knows.
        let room = asked.ip.filter(|_| key.allowed_ips.len() < MAX_ENTRIES);
        let fix = room.map(|ip| format!("panel key update {} --add-ip {ip}", id()));
        failing.push(denied(Gate::Ip, "a listed address", have, fix));
    }
    rate_gate(asked, &mut failing);
    grant_gates(asked.route, key, &mut failing);
    if let Some(owner) = &key.owner {
        role_gate(asked.route, key, owner, &mut failing);
    }
    failing
}

/// Gate 8: the owner and the reseller above it.
pub(super) fn active_gate(owner: &OwnerFacts, failing: &mut Vec<Denied>) {
    let mut suspended = |name: &str| {
        let fix = format!("panel user unsuspend {name}");
        failing.push(denied(Gate::OwnerActive, format!("{name} active"), format!("{name} suspended"), Some(fix)));
    };
    if owner.suspended {
        suspended(&owner.username);
    }
    if let Some(creator) = owner.creator.as_ref().filter(|creator| creator.role == Role::Reseller && creator.suspended)
    {
        suspended(&creator.username);
    }
}

/// Gate 9 where it fails, for whoever asks it of an account without a key.
pub(super) fn no_api_access(username: &str) -> Denied {
    let fix = format!("panel user update {username} --feature api=on");
    denied(Gate::ApiAccess, "can_use_api on", "can_use_api off", Some(fix))
}

fn rate_gate(asked: &Asked<'_>, failing: &mut Vec<Denied>) {
    if asked.route.entry == Entry::OpenUnmetered {
        return;
    }
    let Some(seconds) = wait_seconds(asked.limits, asked.now) else { return };
    let full: Vec<_> = asked.limits.iter().filter(|window| window.left() == 0).collect();
    let have = full.iter().map(|window| format!("{} of {} this {}", window.used, window.limit, window.period));
    let have = have.collect::<Vec<_>>().join(", ");
    failing.push(denied(Gate::Rate, "a request left", have, Some(format!("wait {seconds} s"))));
}

/// Seconds until every full window has begun anew; `None` where none is full.
pub(super) fn wait_seconds(limits: &[Window], now: Timestamp) -> Option<i64> {
    let resets = limits.iter().filter(|window| window.left() == 0).map(|window| window.resets_at).max()?;
    let millis = (resets.millis() - now.millis()).max(1);
    Some((millis + Timestamp::SECOND - 1) / Timestamp::SECOND)
}

/// Gate 12 as yes or no, for whoever weighs settings that no key has yet.
pub(super) fn grants_pass(route: &Route, grants: &Grants) -> bool {
    match (grants, route.need) {
        (Grants::External(have), Need::External(Some(need))) => *have >= need,
        (Grants::Panel(have), Need::Panel(need)) => panel_passes(route, have, need),
        (Grants::Billing { level, scopes }, Need::Billing { level: need, scopes: wanted }) => {
            *level >= need && scopes_pass(scopes, wanted)
        }
        _ => true,
    }
}

fn panel_passes(route: &Route, have: &[Permission], need: PanelNeed) -> bool {
    let reading = route.method == Method::Get;
    match need {
        PanelNeed::Nothing => true,
        PanelNeed::Session => false,
        PanelNeed::Resource(token) => have.iter().any(|permission| {
            *permission == Permission::All || Some(*permission) == token || (reading && *permission == Permission::Read)
        }),
    }
}

fn scopes_pass(have: &[BillingScope], wanted: &[&[BillingScope]]) -> bool {
    let holds = |scope: &BillingScope| have.contains(scope) || have.contains(&BillingScope::FullAccess);
    wanted.is_empty() || wanted.iter().any(|set| set.iter().all(holds))
}

fn grant_gates(route: &Route, key: &KeyFacts, failing: &mut Vec<Denied>) {
    match (&key.grants, route.need) {
        (Grants::External(have), Need::External(Some(need))) if *have < need => {
            let fix = format!("panel key update {} --scopes {}", key.reference(), need.as_str());
            failing.push(denied(Gate::Scope, need.as_str(), have.as_str(), Some(fix)));
        }
        (Grants::Panel(have), Need::Panel(need)) => panel_gate(route, key, have, need, failing),
        (Grants::Billing { level, scopes }, Need::Billing { level: need, scopes: wanted }) => {
            if *level < need {
                failing.push(level_too_low(key, need, *level));
            }
            billing_scope_gate(key, scopes, wanted, failing);
        }
        _ => {}
    }
}

/// Gate 12 of a billing key where its level fails.
pub(super) fn level_too_low(key: &KeyFacts, need: Level, have: Level) -> Denied {
    let fix = format!("panel key update {} --level {}", key.reference(), need.as_str());
    denied(Gate::Level, need.as_str(), have.as_str(), Some(fix))
}

fn panel_gate(route: &Route, key: &KeyFacts, have: &[Permission], need: PanelNeed, failing: &mut Vec<Denied>) {
    if panel_passes(route, have, need) {
        return;
    }
    let PanelNeed::Resource(token) = need else {
        return failing.push(denied(Gate::Permission, "a session", "an API key", None));
    };
    let least = if route.method == Method::Get { Permission::Read } else { token.unwrap_or(Permission::All) };
    let mut all = have.to_vec();
    all.push(least);
    let fix = format!("panel key update {} --permissions {}", key.reference(), keys::join(&all, Permission::as_str));
    failing.push(denied(Gate::Permission, accepted(route), keys::join(have, Permission::as_str), Some(fix)));
}

fn billing_scope_gate(key: &KeyFacts, have: &[BillingScope], wanted: &[&[BillingScope]], failing: &mut Vec<Denied>) {
    if scopes_pass(have, wanted) {
        return;
    }
    let Some(first) = wanted.first() else { return };
    let mut all = have.to_vec();
    all.extend(first.iter().filter(|scope| !have.contains(scope)));
    let fix = format!("panel key update {} --scopes {}", key.reference(), keys::join(&all, BillingScope::as_str));
    let need = keys::join(first, BillingScope::as_str);
    failing.push(denied(Gate::Scope, need, keys::join(have, BillingScope::as_str), Some(fix)));
}

fn role_gate(route: &Route, key: &KeyFacts, owner: &OwnerFacts, failing: &mut Vec<Denied>) {
    let needed_role = match (&key.grants, route.need) {
        (Grants::Billing { level, .. }, Need::Billing { level: need, .. }) => {
            let highest = Level::highest_of(owner.role);
            if (*level).max(need) <= highest {
                return;
            }
            // Where the owner may do this, only the key is too high for it: lowering the key is the lesser change.
            if need <= highest {
                let fix = format!("panel key update {} --level {}", key.reference(), highest.as_str());
                return failing.push(denied(
                    Gate::Role,
                    format!("a level up to {}", highest.as_str()),
                    level.as_str(),
                    Some(fix),
                ));
            }
            if (*level).max(need) <= Level::Billing { Role::Reseller } else { Role::Admin }
        }
        _ if owner.role < route.role => route.role,
        _ => return,
    };
    failing.push(role_too_low(needed_role, owner));
}

/// Gate 13 where it fails.
pub(super) fn role_too_low(needed: Role, owner: &OwnerFacts) -> Denied {
    let fix = format!("panel user update {} --role {needed}", owner.username);
    denied(Gate::Role, needed.as_str(), owner.role.as_str(), Some(fix))
}

pub(super) fn accepted(route: &Route) -> Cow<'static, str> {
    let reading = route.method == Method::Get;
    match route.need {
        Need::Nobody | Need::Admin | Need::External(None) | Need::Panel(PanelNeed::Nothing) => "".into(),
        Need::External(Some(Scope::Read)) => "read, write, delete".into(),
        Need::External(Some(Scope::Write)) => "write, delete".into(),
        Need::External(Some(Scope::Delete)) => "delete".into(),
        Need::Panel(PanelNeed::Session) => "session".into(),
        Need::Panel(PanelNeed::Resource(token)) => {
            let token = token.map(Permission::as_str);
            let words = [reading.then_some("read"), token, Some("all")];
            words.into_iter().flatten().collect::<Vec<_>>().join(", ").into()
        }
        Need::Billing { level, scopes } => {
            let sets = scopes.iter().map(|set| set.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join("+"));
            let sets =
                sets.chain((!scopes.is_empty()).then(|| "full_access".to_owned())).collect::<Vec<_>>().join(", ");
            format!("level={}{}{sets}", level.as_str(), if sets.is_empty() { "" } else { "; " }).into()
        }
    }
}

pub(super) fn denied(gate: Gate, need: impl Into<String>, have: impl Into<String>, fix: Option<String>) -> Denied {
    Denied { gate, need: Some(need.into()), have: Some(have.into()), fix }
}
