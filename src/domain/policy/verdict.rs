//! A decision told gate by gate, for whoever asks what a key may do.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Denial, Gate};
use crate::domain::keys::Style;

/// One gate and how it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AdminGate")]
pub struct Line {
    pub gate: &'static str,
    #[schemars(extend("enum" = ["pass", "FAIL", "not judged"]))]
    pub result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub need: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub have: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub fix: Option<String>,
}

impl Line {
    fn plain(gate: Gate, result: &'static str) -> Self {
        Self { gate: gate.as_str(), result, need: None, have: None, fix: None }
    }
}

fn belongs(gate: Gate, style: Style) -> bool {
    match gate {
        Gate::Secret | Gate::Level => style == Style::Billing,
        Gate::Scope => style != Style::Panel,
        Gate::Permission => style == Style::Panel,
        Gate::Enabled => style != Style::External,
        _ => true,
    }
}

/// Each gate of the style in order. After a gate that ends the judging, the rest is unknown.
pub fn table(style: Style, denial: Option<&Denial>) -> Vec<Line> {
    let last_judged = denial.filter(|denial| denial.gate() <= Gate::Revoked).map(Denial::gate);
    let lines = |gate: Gate| {
        if last_judged.is_some_and(|last| gate > last) {
            return vec![Line::plain(gate, "not judged")];
        }
        let failing = denial.into_iter().flat_map(Denial::failing).filter(|denied| denied.gate == gate);
        let failing: Vec<_> = failing
            .map(|denied| Line {
                need: denied.need.clone(),
                have: denied.have.clone(),
                fix: denied.fix.clone(),
                ..Line::plain(gate, "FAIL")
            })
            .collect();
        if failing.is_empty() { vec![Line::plain(gate, "pass")] } else { failing }
    };
    Gate::ALL.into_iter().filter(|gate| belongs(*gate, style)).flat_map(lines).collect()
}
