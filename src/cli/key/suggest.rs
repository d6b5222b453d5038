//! `panel key suggest`: what a key was seen to need, and the command that leaves it no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::find;
use crate::actions;
use crate::app::App;
use crate::cli::operator;
use crate::cli::output::{Failure, Outcome, Output, print, say};
use crate::domain::keys::{Grants, Key, Style};
use crate::domain::policy::KeyFacts;
use crate::domain::policy::suggest::{Evidence, Reason, Seen, Suggestion, suggest};
use crate::domain::routes::{self, Found, Route, Surface};
use crate::domain::time::Timestamp;
use crate::domain::users::UserId;
use crate::store::request_logs::used::{self, Reach};
use crate::store::{self, OpenError};

#[derive(Debug, Args)]
pub struct Suggest {
    /// Its id, or the beginning of the key.
    id: String,
    /// How many days of the request log to look at.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
    /// Make the change, after asking.
    #[arg(long)]
    apply: bool,
}

/// What was looked at.
struct Look {
    key: Key,
    facts: KeyFacts,
    seen: Seen,
    since: Timestamp,
    reach: Reach,
}

impl Suggest {
    pub fn run(&self, app: &App, output: Output) -> Outcome {
        let look = self.look(app)?;
        let evidence = evidence(app, &look)?;
        let mut notes = look.notes(app);
        let Some(suggestion) = suggest(&look.seen, &evidence) else {
            notes.iter().for_each(|note| say(note));
            return Err(look.unused());
        };
        notes.extend(suggestion.notes.iter().cloned());
        let (line, changes) = (suggestion.command(&look.facts), changes(&look.facts, &suggestion));
        if !output.json {
            output.many(&["setting", "current", "suggested", "calls", "because"], &rows(&look.facts, &suggestion))?;
            say(&look.summary());
            notes.iter().for_each(|note| say(note));
            line.as_ref().map_or(Ok(()), |line| print(line))?;
        }
        let applied = self.apply && line.is_some();
        if applied {
            output.confirm(&format!("Change key {} ({}) so?", look.key.reference(), look.key.settings.name))?;
            follow(app, &look.facts, &suggestion)?;
        }
        if output.json {
            let mut shown = look.shown();
            shown["current"] = settings(&look.facts.grants, &look.facts.allowed_ips.to_strings());
            shown["suggested"] = settings(&suggestion.grants, &suggestion.allowed_ips.to_strings());
            shown["reasons"] = suggestion.reasons.iter().map(reason).collect();
            shown["notes"] = json!(notes);
            shown["changes"] = json!(changes);
            shown["commands"] = json!(line.into_iter().collect::<Vec<_>>());
            shown["applied"] = json!(applied);
            return output.one(&shown);
        }
        match (changes.is_empty(), applied) {
            (true, _) => say("The key has no more than it was seen to need; nothing to change."),
            (false, false) => say("Nothing was changed: run the line above, or the same command with --apply."),
            (false, true) => {
                for Changed { setting, before, after } in &changes {
                    print(&format!("{setting}: {before} -> {after}"))?;
                }
                say("API key updated");
            }
        }
        Ok(())
    }

    fn look(&self, app: &App) -> Result<Look, Failure> {
        let key = find(app, &self.id)?;
        if key.revoked_at.is_some() {
            let why = format!("API key {} is revoked for good: it needs nothing", key.reference());
            return Err(Failure::new(why, "panel key list shows the others."));
        }
        let facts = app.db.read(|tx| actions::keys::facts(tx, key.id))?;
        let (since, path) = (app.now().plus_millis(-self.days * Timestamp::DAY), logs_path(app));
        let reach = used::reach(&path, since).map_err(|error| unreadable(&error))?;
        let mut seen = Seen::nothing_of(&facts);
        used::for_each_alike(&path, key.id, since, |alike| seen.add(alike)).map_err(|error| unreadable(&error))?;
        Ok(Look { key, facts, seen, since, reach })
    }
}

fn follow(app: &App, looked_at: &KeyFacts, suggestion: &Suggestion) -> Result<(), Failure> {
    let (looked_at, suggestion) = (looked_at.clone(), suggestion.clone());
    let (now, default_rate) = (app.now(), app.config().limits.per_key_per_minute);
    let work = move |tx: &store::WriteTx<'_>| {
        actions::keys::follow(tx, &operator(), &looked_at, &suggestion, default_rate, now)
    };
    app.db.write_blocking(work)?;
    Ok(())
}

fn logs_path(app: &App) -> std::path::PathBuf {
    store::logs_path(&app.config().database.path)
}

fn unreadable(error: &OpenError) -> Failure {
    Failure::sentences(&error.to_string())
}

/// What the database says of the calls whose need is not in the log.
fn evidence(app: &App, look: &Look) -> Result<Evidence, Failure> {
    if !Evidence::matters_to(&look.facts.grants) {
        return Ok(Evidence::default());
    }
    let mut ids = BTreeSet::new();
    let changing = |route: &&Route| matches!(route.action, "accounts.update" | "accounts.delete");
    for route in Surface::Billing.routes().iter().filter(changing) {
        found_ids(&logs_path(app), look, route, &mut ids)?;
    }
    Ok(app.db.read_slowly(|tx| actions::keys::evidence(tx, &operator(), &look.key, ids, look.since))?)
}

fn found_ids(path: &Path, look: &Look, route: &Route, ids: &mut BTreeSet<UserId>) -> Result<(), Failure> {
    let note = |path: &str| match routes::find(Some(route.method), path) {
        Found::Route(_, params) => ids.extend(params.id("id").map(UserId)),
        Found::WrongMethod(_) | Found::Nothing => {}
    };
    used::for_each_found_path(path, look.key.id, look.since, route, note).map_err(|error| unreadable(&error))
}

/// A setting that the suggestion changes.
#[derive(Debug, Serialize)]
struct Changed {
    setting: &'static str,
    before: String,
    after: String,
}

fn changes(key: &KeyFacts, suggestion: &Suggestion) -> Vec<Changed> {
    let (before, after) = (texts(key), texts_of(&suggestion.grants, &suggestion.allowed_ips.to_strings()));
    let pairs = before.into_iter().zip(after).filter(|(before, after)| before != after);
    pairs.map(|((setting, before), (_, after))| Changed { setting, before, after }).collect()
}

fn texts(key: &KeyFacts) -> Vec<(&'static str, String)> {
    texts_of(&key.grants, &key.allowed_ips.to_strings())
}

/// The settings that a suggestion is about, as people read them.
fn texts_of(grants: &Grants, ips: &[String]) -> Vec<(&'static str, String)> {
    let words = |none: &str| if grants.words().is_empty() { none.to_owned() } else { grants.words().join(",") };
    let mut texts = match grants {
        Grants::External(_) => vec![("scopes", words("none"))],
        Grants::Panel(_) => vec![("permissions", words("none"))],
        Grants::Billing { level, .. } => {
            vec![("permission_level", level.as_str().to_owned()), ("scopes", words("none"))]
        }
    };
    texts.push(("allowed_ips", if ips.is_empty() { "anywhere".to_owned() } else { ips.join(",") }));
    texts
}

/// The same by the names and shapes of the admin surface.
fn settings(grants: &Grants, ips: &[String]) -> Value {
    match grants {
        Grants::External(scope) => json!({"scopes": scope.as_str(), "allowed_ips": ips}),
        Grants::Panel(_) => json!({"permissions": grants.words(), "allowed_ips": ips}),
        Grants::Billing { level, .. } => {
            json!({"permission_level": level.as_str(), "scopes": grants.words(), "allowed_ips": ips})
        }
    }
}

/// One line for each word of the suggestion; a setting without one has a line of its own.
fn rows(key: &KeyFacts, suggestion: &Suggestion) -> Vec<Value> {
    let after = texts_of(&suggestion.grants, &suggestion.allowed_ips.to_strings());
    let mut rows = Vec::new();
    for ((setting, current), (_, suggested)) in texts(key).into_iter().zip(after) {
        let reasons: Vec<_> = suggestion.reasons.iter().filter(|reason| reason.setting == setting).collect();
        if reasons.is_empty() {
            rows.push(json!({"setting": setting, "current": current, "suggested": suggested}));
        }
        for reason in reasons {
            rows.push(json!({
                "setting": setting, "current": current, "suggested": reason.word, "calls": reason.calls,
                "because": because(reason),
            }));
        }
    }
    rows
}

fn because(reason: &Reason) -> String {
    let example = reason.example.as_ref();
    let example = example.map(|used| format!("{} ({}, last {})", used.route, used.calls, used.last.rfc3339()));
    [reason.besides.clone(), example].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn reason(reason: &Reason) -> Value {
    let example = reason.example.as_ref();
    json!({
        "setting": reason.setting,
        "word": reason.word,
        "calls": reason.calls,
        "route": example.map(|used| used.route.to_string()),
        "route_calls": example.map(|used| used.calls),
        "route_last_call": example.map(|used| used.last.rfc3339()),
        "besides": reason.besides,
    })
}

impl Look {
    fn shown(&self) -> Value {
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        let seen = &self.seen;
        json!({
            "id": self.key.public_id(),
            "kind": self.facts.grants.style().as_str(),
            "since": self.since.rfc3339(),
            "log_begins": at(self.reach.oldest),
            "dropped_rows": self.reach.dropped,
            "calls": seen.calls,
            "first_call": at(seen.first),
            "last_call": at(seen.last),
            "refused": seen.refused,
            "refused_today": seen.outgrown,
            "unknown_routes": seen.unknown,
        })
    }

    fn summary(&self) -> String {
        let at = |at: Option<Timestamp>| at.map_or_else(String::new, Timestamp::rfc3339);
        let seen = &self.seen;
        let counted = format!(
            "{} calls since {} passed the gates and count, from {} to {}.",
            seen.calls,
            self.since.rfc3339(),
            at(seen.first),
            at(seen.last)
        );
        match self.uncounted() {
            None => counted,
            Some(rest) => format!("{counted} Not counted: {rest}."),
        }
    }

    fn uncounted(&self) -> Option<String> {
        let seen = &self.seen;
        let refused: i64 = seen.refused.values().sum();
        let parts = [
            (refused, format!("{refused} refused ({})", by_gate(&seen.refused))),
            (seen.outgrown, format!("{} that today's settings would refuse", seen.outgrown)),
            (seen.unknown, format!("{} of no known route", seen.unknown)),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(calls, _)| *calls > 0).map(|(_, text)| text).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// How much the log can tell.
    fn notes(&self, app: &App) -> Vec<String> {
        let (mut notes, made) = (Vec::new(), self.key.created_at);
        if made > self.since {
            notes.push(format!("The key was made {}: there is no more to look at.", made.rfc3339()));
        }
        if let Some(oldest) = self.reach.oldest.filter(|oldest| *oldest > self.since && *oldest > made) {
            let logs = &app.config().logs;
            notes.push(format!(
                "The log begins {} (logs.retention_days = {}, logs.max_rows = {}): what was called before is not known.",
                oldest.rfc3339(),
                logs.retention_days,
                logs.max_rows
            ));
        }
        if self.reach.dropped > 0 {
            notes.push(format!(
                "{} rows of all keys could not be kept in this time: calls of this one may be missing.",
                self.reach.dropped
            ));
        }
        notes
    }

    fn unused(&self) -> Failure {
        let reference = self.key.reference();
        let rest = self.uncounted().map_or_else(String::new, |rest| format!(" (not counted: {rest})"));
        let why = format!("no call of API key {reference} since {} counts{rest}", self.since.rfc3339());
        let end = format!("panel key revoke {reference}");
        let remedy = match self.facts.grants.style() {
            Style::External => format!("If nobody needs it: {end}"),
            Style::Panel | Style::Billing => {
                format!("If nobody needs it: panel key update {reference} --disable, or for good: {end}")
            }
        };
        Failure::new(why, remedy)
    }
}

fn by_gate(refused: &BTreeMap<String, i64>) -> String {
    refused.iter().map(|(gate, calls)| format!("{gate} {calls}")).collect::<Vec<_>>().join(", ")
}
