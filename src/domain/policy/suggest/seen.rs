//! What a key was seen to do, from the rows of the request log.
//!
//! A call counts when all gates passed, which is when its row names no gate: also one that was then answered 400, 404, 409
//! or 501, because it needed the same. A call that a gate, the body or the target refused does not count, and neither does
//! one that today's settings would refuse: a suggestion never widens.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::Addresses;
use super::gates;
use crate::domain::policy::KeyFacts;
use crate::domain::request_logs::Alike;
use crate::domain::routes::{self, Route, Surface};
use crate::domain::time::Timestamp;

/// Calls of one row of the route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub route: &'static Route,
    pub calls: i64,
    pub last: Timestamp,
}

#[derive(Debug)]
pub struct Seen {
    key: KeyFacts,
    used: Vec<Used>,
    pub(super) addresses: Addresses,
    /// Calls that count, and when the first and the last of them were made.
    pub calls: i64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Calls that were refused, by the gate that did.
    pub refused: BTreeMap<String, i64>,
    /// Calls that passed then and would not today.
    pub outgrown: i64,
    /// Calls of no route, or of one that there is no more.
    pub unknown: i64,
    /// Creates of hosting accounts that were answered 201.
    pub(super) accounts_made: i64,
    /// Such creates that failed after their body was read.
    pub(super) accounts_failed: i64,
}

impl Seen {
    pub fn nothing_of(key: &KeyFacts) -> Self {
        Self {
            key: key.clone(),
            used: Vec::new(),
            addresses: Addresses::default(),
            calls: 0,
            first: None,
            last: None,
            refused: BTreeMap::new(),
            outgrown: 0,
            unknown: 0,
            accounts_made: 0,
            accounts_failed: 0,
        }
    }

    pub fn add(&mut self, alike: &Alike) {
        if let Some(gate) = &alike.gate {
            *self.refused.entry(gate.clone()).or_default() += alike.calls;
            return;
        }
        let Some(route) = routes::of_log(&alike.method, &alike.route) else {
            self.unknown += alike.calls;
            return;
        };
        let ip = alike.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        if !self.passes_today(route, ip) {
            self.outgrown += alike.calls;
            return;
        }
        self.calls += alike.calls;
        self.first = Some(self.first.map_or(alike.first, |first| first.min(alike.first)));
        self.last = self.last.max(Some(alike.last));
        self.addresses.add(ip, alike.calls);
        if makes_account(route) {
            match alike.status {
                201 => self.accounts_made += alike.calls,
                // Nobody looked into these bodies.
                408 | 413 | 415 => {}
                _ => self.accounts_failed += alike.calls,
            }
        }
        match self.used.iter_mut().find(|used| used.route == route) {
            Some(used) => (used.calls, used.last) = (used.calls + alike.calls, used.last.max(alike.last)),
            None => self.used.push(Used { route, calls: alike.calls, last: alike.last }),
        }
    }

    /// By the settings that a suggestion may change. That its owner is suspended or the key expired passes by itself, and a
    /// role is not the key's.
    fn passes_today(&self, route: &Route, ip: Option<IpAddr>) -> bool {
        gates::accepts_style(route, &self.key)
            && gates::grants_pass(route, &self.key.grants)
            && self.key.allowed_ips.allows(ip)
    }

    /// The key as it was when it was looked at.
    pub fn key(&self) -> &KeyFacts {
        &self.key
    }

    /// What was called, each row of the route table once.
    pub fn used(&self) -> &[Used] {
        &self.used
    }

    /// Whether it made or changed keys, which is bounded by its own list of addresses (contract: keys.md, Escalation).
    pub(super) fn manages_keys(&self) -> bool {
        let manages =
            |route: &Route| matches!(route.action, "keys.create" | "keys.update" | "keys.toggle" | "keys.delete");
        self.used.iter().any(|used| used.route.surface == Surface::Panel && manages(used.route))
    }
}

fn makes_account(route: &Route) -> bool {
    route.surface == Surface::Billing && route.action == "accounts.create"
}
