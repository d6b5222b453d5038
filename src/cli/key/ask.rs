//! `panel key can`: the door's own decision, asked from the command line.

use std::net::IpAddr;

use clap::Args;
use serde_json::{Value, json};

use super::find;
use crate::actions::{self, keys::Question};
use crate::app::App;
use crate::cli::output::{Failure, Outcome, Output, print};
use crate::domain::error::{AppError, Invalid};
use crate::domain::keys::Style;
use crate::domain::policy::{Denial, Gate};
use crate::domain::routes::Method;
use crate::domain::time::Timestamp;

#[derive(Debug, Args)]
pub struct Can {
    /// Its id, or the beginning of the key.
    id: String,
    /// GET, HEAD, POST, PUT or DELETE.
    method: String,
    /// The path, such as /api/v1/billing/accounts.
    path: String,
    /// The address the call would come from.
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
    /// When: a date (its beginning), or RFC 3339. Without it: now.
    #[arg(long, value_name = "DATE|TIME")]
    at: Option<String>,
}

impl Can {
    pub fn run(self, app: &App, output: Output) -> Outcome {
        let key = find(app, &self.id)?;
        let method = Method::parse(&self.method.to_uppercase());
        let method =
            method.ok_or_else(|| AppError::from(Invalid::new("method", "must be GET, HEAD, POST, PUT or DELETE")))?;
        let at = self
            .at
            .as_deref()
            .map_or(Ok(app.now()), |text| Timestamp::parse_instant("at", text, app.zone()).map_err(AppError::from))?;
        let path = self.path.split('?').next().unwrap_or_default();
        let limits = app.db.read(|tx| actions::keys::long_windows(tx, key.id, at))?;
        let question = Question { key: key.id, method, path, ip: self.from, at, limits: &limits };
        let answered = app.db.read(|tx| actions::keys::can(tx, &question))?;
        let denial = answered.denial.as_ref();
        let gates = table(key.settings.grants.style(), denial);
        let allowed = denial.is_none() && answered.exists;
        let verdict = match denial {
            Some(denial) => format!("refused by {}", denial.gate().as_str()),
            None if !answered.exists => "no such route".to_owned(),
            None => "allowed".to_owned(),
        };
        let route = if answered.exists { answered.route.path } else { "none" };
        if output.json {
            print(&json!({"allowed": allowed, "verdict": verdict, "route": route, "gates": gates}).to_string())?;
        } else {
            print(&format!("{verdict}: {} {path} (route {route})", method.as_str()))?;
            output.many(&["gate", "result", "need", "have", "fix"], &gates)?;
        }
        if allowed { Ok(()) } else { Err(Failure::new(verdict, "The fix column says what would change it.")) }
    }
}

/// Each gate of the style in order. After a gate that ends the judging, the rest is unknown.
fn table(style: Style, denial: Option<&Denial>) -> Vec<Value> {
    let last_judged = denial.filter(|denial| denial.gate() <= Gate::Revoked).map(Denial::gate);
    let belongs = |gate: &Gate| match gate {
        Gate::Secret | Gate::Level => style == Style::Billing,
        Gate::Scope => style != Style::Panel,
        Gate::Permission => style == Style::Panel,
        Gate::Enabled => style != Style::External,
        _ => true,
    };
    let line = |gate: Gate| {
        let failing: Vec<_> =
            denial.into_iter().flat_map(Denial::failing).filter(|denied| denied.gate == gate).collect();
        if last_judged.is_some_and(|last| gate > last) {
            return vec![json!({"gate": gate.as_str(), "result": "not judged"})];
        }
        if failing.is_empty() {
            return vec![json!({"gate": gate.as_str(), "result": "pass"})];
        }
        let fail = |denied: &&crate::domain::policy::Denied| json!({"gate": gate.as_str(), "result": "FAIL", "need": denied.need, "have": denied.have, "fix": denied.fix});
        failing.iter().map(fail).collect()
    };
    Gate::ALL.into_iter().filter(belongs).flat_map(line).collect()
}
