//! What came of it: every check of schemathesis, and ours of the same answers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use panel::http::openapi;
use serde_json::Value;

use crate::document::{self, Exchange};
use crate::home::Home;

/// Id, tag and description of all there are.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = openapi::document()["paths"].as_object().unwrap();
    let all = paths.values().flat_map(|item| item.as_object().unwrap().values());
    all.map(|of| (of["operationId"].as_str().unwrap(), of["tags"][0].as_str().unwrap(), of))
}

/// How many requests were made, and how they were answered.
#[derive(Debug, Default)]
pub struct Figures {
    pub cases: usize,
    /// Those among them that a check made of another request, without its credential; their answers are not counted.
    follow_ups: usize,
    statuses: BTreeMap<u16, usize>,
    /// How often each operation did what it is for.
    allowed: BTreeMap<String, usize>,
}

impl Figures {
    pub fn percent(&self, part: usize) -> usize {
        part * 100 / (self.cases - self.follow_ups).max(1)
    }

    pub fn of(&self, classes: std::ops::RangeInclusive<u16>) -> usize {
        self.statuses.iter().filter(|(status, _)| classes.contains(&(*status / 100))).map(|(_, count)| count).sum()
    }

    pub fn status(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    pub fn allowed(&self, id: &str) -> usize {
        self.allowed.get(id).copied().unwrap_or_default()
    }

    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.follow_ups += other.follow_ups;
        other.statuses.into_iter().for_each(|(status, count)| *self.statuses.entry(status).or_default() += count);
        other.allowed.into_iter().for_each(|(id, count)| *self.allowed.entry(id).or_default() += count);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, {} of them to check others; the rest: ", self.cases, self.follow_ups)?;
        let statuses: Vec<_> = self.statuses.iter().map(|(status, count)| format!("{status} × {count}")).collect();
        f.write_str(&statuses.join(", "))
    }
}

/// Reads the report. `opens`: the credential of the run opens something, so that an operation behind it may succeed.
pub fn judge(home: &Home, report: &str, opens: bool) -> Figures {
    let (mut figures, mut wrong, mut said) = (Figures::default(), Vec::new(), Texts::default());
    let mut ended = false;
    for line in report.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:.200}"));
        let (kind, event) = event.as_object().and_then(|event| event.iter().next()).unwrap();
        match kind.as_str() {
            "ScenarioFinished" => scenario(&event["recorder"], opens, &mut figures, &mut wrong, &mut said),
            "EngineFinished" => ended = true,
            kind if kind.ends_with("Error") || kind == "Interrupted" => wrong.push(format!("{kind}: {event}")),
            _ => {}
        }
    }
    assert!(ended, "the report breaks off: {figures}");
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(figures.cases > 0, "nothing was called");
    said.note(home);
    figures
}

fn scenario(recorder: &Value, opens: bool, figures: &mut Figures, wrong: &mut Vec<String>, said: &mut Texts) {
    let Some(interactions) = recorder["interactions"].as_object() else { return };
    for (case, interaction) in interactions {
        let (request, response) = (&interaction["request"], &interaction["response"]);
        let (sent, came) = (bytes(&request["body"]), bytes(&response["content"]));
        let method = request["method"].as_str().unwrap();
        let uri = request["uri"].as_str().unwrap();
        let target = uri.splitn(4, '/').nth(3).map_or_else(String::new, |rest| format!("/{rest}"));
        let text =
            |body: &Option<Vec<u8>>| body.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        let told = format!("{method} {target}\n{}\n→ {}\n{}", text(&sent), response["status_code"], text(&came));
        let Some(status) = response["status_code"].as_u64().and_then(|status| u16::try_from(status).ok()) else {
            wrong.push(format!("no answer came: {told}"));
            continue;
        };
        if status >= 500 {
            wrong.push(format!("a fault of ours: {told}"));
        }
        figures.cases += 1;
        if recorder["cases"][case]["parent_id"].is_string() {
            figures.follow_ups += 1;
        } else {
            *figures.statuses.entry(status).or_default() += 1;
        }
        if status < 300 && method != "OPTIONS" {
            let id = operation_of(recorder["label"].as_str().unwrap_or_default());
            match id {
                Some((id, _)) if opens => *figures.allowed.entry(id.to_owned()).or_default() += 1,
                Some((_, true)) => {}
                _ => wrong.push(format!("answered to somebody who may not: {told}")),
            }
        }
        for check in recorder["checks"][case].as_array().into_iter().flatten() {
            if check["status"] == "failure" && !is_empty_parameter(check, &target) {
                wrong.push(format!("{} fails: {}\n{told}", check["name"], check["failure_info"]["failure"]["message"]));
            }
        }
        said.sent(sent.as_deref());
        said.came(came.as_deref());
        let headers = headers(&response["headers"]);
        let body = came.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        // Whether what was sent is described is a check of schemathesis, which knows what it meant to send.
        let exchange = Exchange { method, target: &target, sent: None, status, headers: &headers, body: &body };
        document::check(&exchange, &told);
    }
}

/// The operation of a label such as `GET /docs`, and whether it also answers whoever has no credential.
fn operation_of(label: &str) -> Option<(&'static str, bool)> {
    let (method, path) = label.split_once(' ')?;
    let operation = &openapi::document()["paths"][path][method.to_ascii_lowercase()];
    let security = operation["security"].as_array()?;
    let is_open =
        security.is_empty() || security.iter().any(|of| of.as_object().is_some_and(serde_json::Map::is_empty));
    Some((operation["operationId"].as_str()?, is_open))
}

/// The description says in words that an empty parameter is an absent one: the rules of its value do not hold for it.
fn is_empty_parameter(check: &Value, target: &str) -> bool {
    let message = check["failure_info"]["failure"]["message"].as_str().unwrap_or_default();
    let (_, query) = target.split_once('?').unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let empty: HashSet<_> = pairs.filter(|(_, value)| value.is_empty()).map(|(name, _)| name.into_owned()).collect();
    // "Invalid component: parameters `a`, `b` in query", and what each breaks.
    let named = message.split_once("Invalid component: parameter").and_then(|(_, rest)| rest.split_once(" in query"));
    let names = || named.unwrap_or_default().0.split('`').skip(1).step_by(2);
    check["name"] == "negative_data_rejection" && names().next().is_some() && names().all(|name| empty.contains(name))
}

fn bytes(body: &Value) -> Option<Vec<u8>> {
    from_base64(body["$base64"].as_str()?)
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let url = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    panel::domain::encoding::from_base64url(&url)
}

fn headers(of: &Value) -> BTreeMap<String, String> {
    let lines = of.as_object().into_iter().flatten();
    lines.map(|(name, values)| (name.to_ascii_lowercase(), values[0].as_str().unwrap_or_default().to_owned())).collect()
}

/// Bodies, for the search for secrets in what the panel keeps. A generated text that was sent as a password and as
/// something else is no secret.
#[derive(Debug, Default)]
struct Texts {
    bodies: HashSet<Vec<u8>>,
    passwords: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Texts {
    fn sent(&mut self, body: Option<&[u8]>) {
        if let Some(body) = body {
            let read = serde_json::from_slice(body).unwrap_or_default();
            self.sort(&read, "");
        }
        self.came(body);
    }

    fn came(&mut self, body: Option<&[u8]>) {
        self.bodies.extend(body.map(Vec::from));
    }

    fn sort(&mut self, value: &Value, name: &str) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| self.sort(value, name)),
            Value::Array(items) => items.iter().for_each(|item| self.sort(item, name)),
            Value::String(text) if name.contains("password") || name.contains("secret") => {
                self.passwords.insert(text.clone());
            }
            Value::String(text) => {
                self.others.insert(text.clone());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn note(&self, home: &Home) {
        self.passwords.intersection(&self.others).for_each(|text| home.secrets.is_public(text));
        self.bodies.iter().for_each(|body| home.secrets.note_body(body));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use panel::domain::encoding::base64url;
    use serde_json::json;

    use super::*;

    const HEALTH: &str = r#"{"status":"healthy","database":"connected","version":"1.0.0"}"#;

    /// Of a report with one call of health.
    fn judged(response: &Value, checks: &Value, uri: &str, opens: bool) -> Result<Figures, String> {
        let request = json!({"method": "GET", "uri": uri, "headers": {}});
        let label = if uri.contains("/users") { "GET /api/v1/users" } else { "GET /api/health" };
        let recorder = json!({
            "label": label, "cases": {"a": {}}, "checks": {"a": checks},
            "interactions": {"a": {"request": request, "response": response}},
        });
        let finished = json!({"ScenarioFinished": {"recorder": recorder}});
        let report = format!("{finished}\n{}", json!({"EngineFinished": {}}));
        let home = Home::new();
        let judged = catch_unwind(AssertUnwindSafe(|| judge(&home, &report, opens)));
        judged.map_err(|why| why.downcast_ref::<String>().cloned().unwrap_or_default())
    }

    fn answer(status: u16, kind: &str, body: &str) -> Value {
        let headers = json!({"x-request-id": ["1"], "content-type": [kind]});
        json!({"status_code": status, "headers": headers, "content": {"$base64": base64url(body.as_bytes())}})
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_told() {
        let (health, none) = ("http://127.0.0.1:1/api/health", json!([]));
        let good = answer(200, "application/json", HEALTH);
        assert_eq!(judged(&good, &none, health, true).unwrap().allowed("billing_health"), 1);
        assert!(judged(&good, &none, health, false).is_ok(), "health has no secrets");
        for (wrong, why) in [
            (answer(418, "application/json", HEALTH), "the status is not in the description"),
            (answer(500, "application/json", r#"{"detail":"d","request_id":"1"}"#), "a fault of ours"),
            (answer(200, "text/plain", HEALTH), "text/plain is not in the description"),
            (answer(200, "application/json", "{}"), "is not what the description says"),
            (json!({"status_code": 200, "headers": {}}), "the header"),
            (Value::Null, "no answer came"),
        ] {
            let told = judged(&wrong, &none, health, true).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        let nothing = answer(200, "application/json", "[]");
        let told = judged(&nothing, &none, "http://127.0.0.1:1/api/v1/users", false).unwrap_err();
        assert!(told.contains("answered to somebody who may not"), "{told}");
    }

    #[test]
    fn a_check_that_fails_is_told_unless_it_is_about_an_empty_parameter() {
        let failed = |message: &str| json!([{"name": "negative_data_rejection", "status": "failure", "failure_info": {"failure": {"message": message}}}]);
        let good = answer(200, "application/json", HEALTH);
        let two = failed("Invalid component: parameters `limit`, `page` in query");
        assert!(judged(&good, &two, "http://127.0.0.1:1/api/health?limit=&page=", true).is_ok());
        assert!(judged(&good, &two, "http://127.0.0.1:1/api/health?limit=&page=x", true).is_err());
        let checks = failed("Invalid component: parameter `limit` in query - violates `type`");
        assert!(judged(&good, &checks, "http://127.0.0.1:1/api/health?limit=", true).is_ok());
        for target in ["/api/health?limit=x", "/api/health?other=", "/api/health"] {
            let told = judged(&good, &checks, &format!("http://127.0.0.1:1{target}"), true).unwrap_err();
            assert!(told.contains("negative_data_rejection"), "{told}");
        }
    }
}
