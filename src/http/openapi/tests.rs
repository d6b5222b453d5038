//! The description against the route table and against itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{description_of, document, face, page, text};
use crate::domain::routes::{Entry, Method, Need, PanelNeed, Route, Surface};
use crate::http::call;

fn served() -> impl Iterator<Item = &'static Route> {
    Surface::ALL.into_iter().flat_map(Surface::routes).filter(|route| route.served)
}

/// What is in the document; the first test names what is not.
fn described() -> impl Iterator<Item = &'static Route> {
    served().filter(|route| description_of(route).is_some())
}

fn operation(route: &Route) -> &'static Value {
    &document()["paths"][route.path][route.method.as_str().to_ascii_lowercase()]
}

/// Every object and list of the document, with where it is.
fn walk<'a>(value: &'a Value, at: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(at, value);
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, inner)| walk(inner, &format!("{at}/{}", key.replace('/', "~1")), visit));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(key, inner)| walk(inner, &format!("{at}/{key}"), visit));
        }
        _ => {}
    }
}

#[test]
fn every_route_that_is_built_is_described_and_nothing_else() {
    let missing: Vec<_> = served()
        .filter(|route| description_of(route).is_none())
        .map(|route| format!("src/http/{}/describe.rs: (\"{}\", …) // {route}", route.surface.as_str(), route.action))
        .collect();
    assert!(missing.is_empty(), "these routes are served and not described:\n{}", missing.join("\n"));
    for surface in Surface::ALL {
        let mut seen = BTreeSet::new();
        for (action, _) in face(surface).described {
            assert!(seen.insert(action), "{}: {action} is described twice", surface.as_str());
            let served = surface.routes().iter().any(|route| route.served && route.action == *action);
            assert!(served, "src/http/{}/describe.rs: {action} is no served route", surface.as_str());
        }
    }
    let operations: usize =
        document()["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, served().count());
}

#[test]
fn an_operation_asks_for_the_credential_that_its_row_needs() {
    for route in described() {
        let operation = operation(route);
        let schemes: Vec<Vec<_>> = operation["security"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_object().unwrap().keys().map(String::as_str).collect())
            .collect();
        let mut wanted: Vec<Vec<&str>> = match route.need {
            Need::Nobody if route.action == "auth.refresh" => vec![vec!["refreshCookie"]],
            Need::Nobody => vec![],
            Need::External(_) => vec![vec!["externalKey"]],
            Need::Panel(PanelNeed::Session) => vec![vec!["panelSession"]],
            Need::Panel(_) => vec![vec!["panelKey"], vec!["panelSession"]],
            Need::Billing { .. } => vec![vec!["billingKey", "billingSecret"]],
            Need::Admin => vec![vec!["adminSession"]],
        };
        if route.entry == Entry::OpenUnmetered {
            wanted.insert(0, vec![]);
        }
        assert_eq!(schemes, wanted, "{route}");
        let has = |status: &str| operation["responses"].get(status).is_some();
        assert_eq!(has("429"), route.entry == Entry::Closed, "{route}");
        assert!(has("500") && has("503"), "{route}");
        assert!(route.need == Need::Nobody || (has("400") && has("401") && has("403")), "{route}");
        assert_eq!(has("409"), call::is_repeatable(route), "{route}");
        assert_eq!(has("413"), route.method != Method::Get, "{route}");
        assert!(!route.path.contains('{') || has("404"), "{route}");
        assert!(!has("405") && !has("501"), "{route}");
    }
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["servers"][0]["url"], "/");
    let mut ids = BTreeSet::new();
    for route in described() {
        let operation = operation(route);
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} twice");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{id}");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(document["tags"].as_array().unwrap().iter().any(|known| known["name"] == tag), "{id}");
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let is = |parameter: &Value| {
                parameter["name"] == name && parameter["in"] == "path" && parameter["required"] == true
            };
            assert_eq!(parameters.iter().filter(|parameter| is(parameter)).count(), 1, "{id}: {name}");
        }
        let takes = operation.get("requestBody").is_some();
        assert!(!takes || route.method != Method::Get, "{id}: a GET has no body");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let status: u16 = status.parse().unwrap();
            assert!((200..600).contains(&status), "{id}");
            assert!(
                response.get("$ref").is_some() || !response["description"].as_str().unwrap().is_empty(),
                "{id} {status}"
            );
        }
    }
    walk(document, "", &mut |at, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let place = target.strip_prefix('#').unwrap_or_else(|| panic!("{at} points outside: {target}"));
            assert!(document.pointer(place).is_some(), "{at} points nowhere: {target}");
        }
    });
}

/// Two types of one name would be told apart by a number.
#[test]
fn schemas_have_names_of_their_own_and_say_all_their_fields() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        let own = name.split_once("Refusal").map_or(name.as_str(), |(surface, _)| surface);
        assert!(own.chars().all(|c| c.is_ascii_alphabetic()), "{name}: give the type a name with #[schemars(rename)]");
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
    for route in described() {
        for (status, response) in operation(route)["responses"].as_object().unwrap() {
            walk(&response["content"], "", &mut |at, value| {
                let is_object = value.get("properties").is_some_and(Value::is_object);
                assert!(!is_object || value["additionalProperties"] == false, "{route} {status} {at}");
            });
        }
    }
}

#[test]
fn it_gives_no_secrets_away_and_names_no_other_host() {
    let words = text().split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    for word in words {
        for prefix in ["pk_live_", "wsp_", "npk_", "nps_", "eyJ"] {
            let rest = word.strip_prefix(prefix).unwrap_or_default();
            assert!(rest.len() < 12, "{word} looks like a secret");
        }
    }
    for (name, text) in [("the document", text()), ("the page", page())] {
        assert!(
            !text.contains("http://") && !text.contains("https://") && !text.contains("\"//"),
            "{name} names a host"
        );
    }
}

#[test]
fn the_page_shows_every_operation_and_runs_nothing() {
    let page = page();
    for route in described() {
        let id = operation(route)["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("<div id=\"{id}\">")), "{route}");
    }
    for word in ["<script", "javascript:", " onclick", " onload", "<link", "<img", "<iframe", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    let ids: BTreeSet<_> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for target in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(ids.contains(target), "#{target} leads nowhere");
    }
}
