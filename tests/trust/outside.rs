//! Somebody else's reading of the interface description (schemathesis) makes requests from it, right and wrong ones, and
//! sends them to a running panel, with credentials that open something and with ones that open nothing.

mod judge;
mod tool;
mod world;

use std::collections::BTreeMap;

use judge::Figures;
use world::World;

use crate::size;

/// How many requests the long form makes at least.
const CASES: usize = 50_000;

/// What of the description is called, and as whom.
struct Run {
    name: &'static str,
    who: Who,
    /// Chooses operations by id and tag.
    of: fn(&str, &str) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    External,
    PanelKey,
    PanelSession,
    Billing,
    Admin,
    /// The refresh cookie, where the description has it; nothing elsewhere.
    Nobody,
    /// Credentials of the right look that nobody made.
    Unknown,
    /// What is no credential at all.
    Garbage,
    /// Each surface is shown what opens another one.
    Swapped,
    /// Keys that were revoked, a session that is over.
    Dead,
}

/// They open nothing.
const REFUSED: [Who; 4] = [Who::Unknown, Who::Garbage, Who::Swapped, Who::Dead];

impl Who {
    /// Opens something.
    fn is_known(self) -> bool {
        self != Who::Nobody && !REFUSED.contains(&self)
    }
}

/// What ends the session or changes the password it was called with; the rest of a run would be refused.
fn ends_itself(id: &str) -> bool {
    let sessions = ["admin_sessions_delete", "admin_sessions_delete_all"];
    sessions.contains(&id) || ["_auth_logout", "_auth_refresh", "_auth_password"].iter().any(|end| id.ends_with(end))
}

fn is_open(id: &str) -> bool {
    judge::operations()
        .any(|(of, _, operation)| of == id && operation["security"].as_array().is_some_and(Vec::is_empty))
}

const RUNS: [Run; 12] = [
    Run { name: "external", who: Who::External, of: |_, tag| tag == "External" },
    Run { name: "panel key", who: Who::PanelKey, of: |id, tag| tag == "Panel" && !is_open(id) },
    Run {
        name: "panel session",
        who: Who::PanelSession,
        of: |id, tag| tag == "Panel" && !is_open(id) && !ends_itself(id),
    },
    Run { name: "panel session's end", who: Who::PanelSession, of: |id, tag| tag == "Panel" && ends_itself(id) },
    Run { name: "billing", who: Who::Billing, of: |_, tag| tag == "Billing" },
    Run { name: "admin", who: Who::Admin, of: |id, tag| tag == "Admin" && !is_open(id) && !ends_itself(id) },
    Run { name: "admin session's end", who: Who::Admin, of: |id, tag| tag == "Admin" && ends_itself(id) },
    Run { name: "nobody", who: Who::Nobody, of: |id, _| is_open(id) || id == "admin_auth_refresh" },
    Run { name: "unknown credentials", who: Who::Unknown, of: |id, _| !is_open(id) },
    Run { name: "garbage", who: Who::Garbage, of: |id, _| !is_open(id) },
    Run { name: "swapped credentials", who: Who::Swapped, of: |id, _| !is_open(id) },
    Run { name: "dead credentials", who: Who::Dead, of: |id, _| !is_open(id) },
];

impl Run {
    fn operations(&self) -> Vec<&'static str> {
        let all = judge::operations().filter(|(id, tag, _)| (self.of)(id, tag)).map(|(id, _, _)| id);
        match REFUSED.iter().position(|who| *who == self.who) {
            // The short form shows each of them a part.
            Some(place) if !size::is_long() => all.skip(place).step_by(REFUSED.len()).collect(),
            _ => all.collect(),
        }
    }

    /// A panel of its own for each run: what one run deletes is no other's loss.
    fn go(&self, round: u64, examples: u32) -> Figures {
        let mut world = World::make();
        let settings = world.settings(self.who, round, examples);
        let said = tool::run(&world.home, world.server.address, &settings, &self.operations());
        let figures = judge::judge(&world.home, &said, self.who.is_known() || self.who == Who::Nobody);
        world.is_well();
        size::is_long().then(|| tell!("{:>21}: {figures}", self.name));
        figures
    }
}

/// Mostly refused would show little; never refused would show that nothing wrong was sent.
fn is_balanced(name: &str, figures: &Figures) {
    assert!(figures.percent(figures.of(2..=2)) >= 5, "{name}: hardly anything was allowed: {figures}");
    assert!(figures.percent(figures.of(4..=4)) >= 10, "{name}: hardly anything was wrong: {figures}");
    assert!(figures.percent(figures.status(401)) <= 25, "{name}: the credential opens too little: {figures}");
    assert!(figures.percent(figures.status(429)) <= 10, "{name}: limits hide the rest: {figures}");
}

#[test]
fn the_description_and_nothing_but_it_is_answered() {
    let mut all = Figures::default();
    let mut reached = BTreeMap::new();
    for round in 0.. {
        for run in &RUNS {
            let figures = run.go(round, size::of(4, if run.who.is_known() { 150 } else { 30 }));
            if run.who.is_known() && !run.name.ends_with("end") {
                is_balanced(run.name, &figures);
            }
            if run.who.is_known() || run.who == Who::Nobody {
                for id in run.operations() {
                    *reached.entry(id).or_insert(0) += figures.allowed(id);
                }
            }
            all.add(figures);
        }
        if all.cases >= size::of(1, CASES) {
            break;
        }
    }
    let never: Vec<_> = reached.iter().filter(|(_, times)| **times == 0).map(|(id, _)| *id).collect();
    size::is_long().then(|| tell!("all: {all}; never allowed: {never:?}"));
    assert_eq!(reached.len(), judge::operations().count(), "an operation is in no run");
    // Of few requests each; what needs a secret of its own is reached by none of them.
    assert!(never.len() <= size::of(20, 5), "never allowed once: {never:?}");
}
