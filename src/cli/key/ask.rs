//! `panel key can`: the door's own decision, asked from the command line.

use std::net::IpAddr;

use clap::Args;
use serde_json::json;

use super::find;
use crate::actions::{self, keys::Question};
use crate::app::App;
use crate::cli::output::{Failure, Outcome, Output, print};
use crate::domain::error::{AppError, Invalid};
use crate::domain::policy::verdict;
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
        let (allowed, verdict, route) = (answered.is_allowed(), answered.verdict(), answered.route_name());
        let gates = verdict::table(key.settings.grants.style(), answered.denial.as_ref());
        if output.json {
            print(&json!({"allowed": allowed, "verdict": verdict, "route": route, "gates": gates}).to_string())?;
        } else {
            print(&format!("{verdict}: {} {path} (route {route})", method.as_str()))?;
            output.many(
                &["gate", "result", "need", "have", "fix"],
                &gates.iter().map(|line| json!(line)).collect::<Vec<_>>(),
            )?;
        }
        if allowed { Ok(()) } else { Err(Failure::new(verdict, "The fix column says what would change it.")) }
    }
}
