//! What the description says a route takes, the server looks at: every parameter and every field, wrong, missing and null.

use std::collections::BTreeSet;
use std::path::Path;

use panel::domain::routes::{Method, Route, Surface};
use panel::http::openapi;
use serde_json::{Value, json};

use super::world::World;

fn served() -> impl Iterator<Item = &'static Route> {
    Surface::ALL.into_iter().flat_map(Surface::routes).filter(|route| route.served)
}

fn operation(route: &Route) -> &'static Value {
    &openapi::document()["paths"][route.path][route.method.as_str().to_ascii_lowercase()]
}

/// A JSON body as it is described, with its example.
fn body(route: &Route) -> Option<(&'static Value, Value)> {
    let media = operation(route)["requestBody"]["content"].get("application/json")?;
    let example = media.get("example").unwrap_or_else(|| panic!("{route}: the body has no example"));
    Some((&media["schema"], example.clone()))
}

fn names(text: &str, field: &str) -> bool {
    text.to_ascii_lowercase().contains(&field.to_ascii_lowercase())
}

#[tokio::test]
async fn every_field_of_every_body_is_read() {
    let world = World::make().await;
    for route in served() {
        let Some((schema, example)) = body(route) else { continue };
        for (field, of) in schema["properties"].as_object().unwrap() {
            let request = world.request(route, "");
            let mut wrong = example.clone();
            // An object is a wrong value for whatever is none.
            wrong[field] = if of["type"].to_string().contains("object") { json!("x") } else { json!({}) };
            let answer = world.app.call(request.clone().json(&wrong)).await;
            let known = matches!(answer.status, 400 | 403) && names(&answer.text, field);
            assert!(known, "{route}: {field}: {} {}", answer.status, answer.text);

            let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(field)));
            let mut without = example.clone();
            without.as_object_mut().unwrap().remove(field);
            if required {
                let answer = world.app.call(request.json(&without)).await;
                assert!(answer.status == 400 && names(&answer.text, field), "{route}: no {field}: {}", answer.text);
            } else {
                without[field] = Value::Null;
                let answer = world.app.call(request.json(&without)).await;
                assert!(answer.status != 400 || !names(&answer.text, field), "{route}: {field} null: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn every_parameter_of_every_query_is_read() {
    let world = World::make().await;
    for route in served() {
        for parameter in operation(route)["parameters"].as_array().into_iter().flatten() {
            let Some(name) = parameter["name"].as_str().filter(|_| parameter["in"] == "query") else { continue };
            let request = world.request(route, &format!("?{name}={}", "9".repeat(256)));
            let answer = world.app.call(request).await;
            assert!(answer.status == 400 && names(&answer.text, name), "{route}: {name}: {}", answer.text);
        }
    }
}

/// Names that handlers read one by one, instead of through a type of their own.
#[test]
fn every_name_that_a_handler_reads_is_described() {
    for surface in Surface::ALL {
        let mut described = BTreeSet::new();
        for route in surface.routes().iter().filter(|route| route.served) {
            let operation = operation(route);
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            described.extend(parameters.filter_map(|parameter| parameter["name"].as_str()));
            for media in
                operation["requestBody"]["content"].as_object().into_iter().flat_map(|content| content.values())
            {
                described.extend(
                    media["schema"]["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()),
                );
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http").join(surface.as_str());
        for (file, source) in sources(&folder) {
            for name in [".text(\"", ".integer(\"", ".boolean(\"", ".flag(\"", ".number(\""]
                .iter()
                .flat_map(|call| source.split(call).skip(1).filter_map(|rest| rest.split('"').next()))
            {
                assert!(described.contains(name), "{file} reads {name}, which no route of the surface describes");
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            // Rows of calls may be wrapped.
            let source = std::fs::read_to_string(&path).unwrap().replace("(\n", "(").replace("\n", "");
            found.push((path.display().to_string(), source));
        }
    }
    found
}

#[test]
fn what_changes_something_says_so_by_its_method() {
    for route in served().filter(|route| route.method == Method::Get) {
        assert!(body(route).is_none(), "{route}");
    }
}
