//! Every parameter and field of every route, filled with strings that mean something elsewhere: what is taken comes back
//! as it was, what is not is named, and nothing is a fault of ours.

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::described::{Input, Operation, Place, escaped, operations};
use super::json::named;
use super::strings_corpus::{NUMBERS, all};
use super::tell;
use super::wire::{Ask, Got};
use super::world::World;
use crate::size;

/// Texts that are kept as they came; an empty one is none.
const KEPT: [&str; 11] = [
    "username",
    "full_name",
    "phone",
    "address",
    "email",
    "note",
    "external_id",
    "name",
    "description",
    "company",
    "billing_id",
];

/// The request with a JSON value in one place; a place outside the body takes a text's letters.
pub fn put(world: &World, of: &Operation, input: &Input, value: &Value) -> Ask {
    let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match input.place {
        Place::Path => {
            let ask = world.request(of, &of.target(world, Some((&input.name, &plain))));
            if of.has_body && !of.is_form { ask.json(world.body(of).to_string()) } else { ask }
        }
        Place::Query => {
            let target = format!("{}?{}={}", of.target(world, None), input.name, escaped(&plain));
            world.request(of, &target)
        }
        Place::Field if of.is_form => {
            let pair = format!("{}={}", input.name, escaped(&plain));
            world.request(of, &of.target(world, None)).content("application/x-www-form-urlencoded", pair)
        }
        Place::Field => {
            let mut body = world.body(of);
            body[&input.name] = value.clone();
            world.request(of, &of.target(world, None)).json(body.to_string())
        }
    }
}

/// Where what was made or changed can be read, and the name of a thing that the answer does not give an id of.
fn readable_at(world: &World, of: &Operation, ask: &Ask, got: &Got) -> Vec<String> {
    let sent: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
    let is_create = of.route.action.ends_with(".create");
    let place = |name: &str| match sent[name].as_str() {
        Some(text) if is_create => escaped(text),
        _ => of.target(world, None).rsplit('/').next().unwrap_or_default().to_owned(),
    };
    let id = [&got.body["data"]["id"], &got.body["id"]].into_iter().find(|id| !id.is_null());
    let id = id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    let path = of.route.path.trim_end_matches("/{id}");
    match (of.route.action, id) {
        ("users.create" | "users.update" | "resellers.create" | "resellers.update", _) => {
            vec![format!("/api/v1/users/{}", place("username"))]
        }
        ("packages.create", _) => vec![format!("/api/v1/packages/{}", place("name"))],
        ("packages.update", _) => {
            let name = sent["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("small");
            vec![format!("/api/v1/packages/{}", escaped(name))]
        }
        ("subscribers.create", Some(id)) if path.contains("/external/") => {
            vec![format!("{path}/{id}"), format!("{path}/by-username/{}", place("username"))]
        }
        (action, Some(id)) if action.ends_with(".create") || action.ends_with(".update") => {
            // Transactions are only listed, the newest first.
            let next = id.parse::<i64>().unwrap_or_default() + 1;
            let listed = action == "transactions.create";
            vec![if listed { format!("{path}?limit=1&cursor={next}") } else { format!("{path}/{id}") }]
        }
        _ => Vec::new(),
    }
}

/// What was taken is what is read. True where there was something to read.
#[track_caller]
fn came_back(world: &World, of: &Operation, input: &Input, value: &Value, ask: &Ask, got: &Got) -> bool {
    if input.place != Place::Field || !KEPT.contains(&input.name.as_str()) || !value.is_string() {
        return false;
    }
    let mut seen = false;
    for target in readable_at(world, of, ask, got) {
        let read = world.get(&target);
        // What no segment of a path may hold is found by its id, and by its name in the list.
        let is_no_segment = |text: &str| text.contains('/') || matches!(text, "." | "..");
        if input.name == "username" && target.contains("/by-username/") && value.as_str().is_some_and(is_no_segment) {
            assert_eq!(read.status, 404, "{target}");
            continue;
        }
        let told = format!("{}\nGET {target} → {} {}", ask.told(), read.status, read.text);
        assert_eq!(read.status, 200, "{told}");
        let data = if read.body["data"].is_null() { &read.body } else { &read.body["data"] };
        let row = data.as_array().map_or(data, |rows| &rows[0]);
        let Some(kept) = row.get(&input.name) else { continue };
        let is_none = value == "" && (kept.is_null() || kept == "");
        // The billing system's own number is a number again.
        let is_number = input.name == "billing_id" && value.as_str() == Some(&kept.to_string());
        // Where a name stands for the value that is there already.
        let is_ignored = of.route.action == "users.update" && input.name == "username";
        assert!(kept == value || is_none || is_number || is_ignored, "{value} came back as {kept}: {told}");
        seen = true;
    }
    if (of.route.action, input.name.as_str()) == ("packages.update", "name") && value != "small" && value != "" {
        let target = format!("/api/v1/packages/{}", escaped(value.as_str().unwrap()));
        world.must("PUT", &target, &json!({"name": "small"}));
    }
    seen
}

/// Puts a value into a place and holds the answer to everything. True: taken and read back.
#[track_caller]
fn abuse(world: &World, of: &Operation, input: &Input, value: &Value) -> bool {
    let ask = put(world, of, input, value);
    let got = world.ask(&ask);
    let told = || format!("{} → {} {}", ask.told(), got.status, got.text);
    if got.status < 300 {
        // The same name again is another row's by now.
        return came_back(world, of, input, value, &ask, &got);
    }
    match input.place {
        Place::Path => assert!(matches!(got.status, 400 | 404 | 405 | 409), "{}", told()),
        Place::Query | Place::Field if of.is_form => assert!(matches!(got.status, 400 | 404 | 410 | 413), "{}", told()),
        Place::Query | Place::Field => named(&input.name, &ask, &got),
    }
    false
}

/// A row of each class, or all of them.
fn sample(random: &mut StdRng, all: &[(&'static str, String)]) -> Vec<Value> {
    if size::is_long() {
        return all.iter().map(|(_, text)| json!(text)).collect();
    }
    (0..3).map(|_| json!(all[random.random_range(0..all.len())].1)).collect()
}

fn flood(world: &World, is_wanted: impl Fn(&Operation, &Input) -> bool, random: &mut StdRng) -> (usize, usize) {
    let all = all();
    let (mut sent, mut came_back) = (0, 0);
    for of in operations(world) {
        for input in of.inputs.iter().filter(|input| is_wanted(&of, input)) {
            for value in sample(random, &all) {
                sent += 1;
                came_back += usize::from(abuse(world, &of, input, &value));
            }
        }
    }
    (sent, came_back)
}

#[test]
fn strings_in_every_parameter_of_every_path_and_query() {
    let world = World::new();
    let outside = |_: &Operation, input: &Input| input.place != Place::Field;
    let (sent, _) = flood(&world, outside, &mut size::random("parameters"));
    tell(&format!("strings in paths and queries: {sent}"));
    assert!(sent >= size::of(250, 20_000), "{sent}");
    world.is_well();
}

#[test]
fn strings_in_every_field_of_every_body_are_named_or_come_back_as_they_were() {
    let world = World::new();
    let inside = |_: &Operation, input: &Input| input.place == Place::Field;
    let (sent, came_back) = flood(&world, inside, &mut size::random("fields"));
    tell(&format!("strings in fields: {sent}, of which came back as they were: {came_back}"));
    assert!(sent >= size::of(700, 60_000) && came_back >= size::of(20, 1_000), "{sent} {came_back}");
    world.is_well();
}

#[test]
fn numbers_lists_and_objects_in_every_field_are_taken_or_named() {
    let world = World::new();
    let mut random = size::random("numbers");
    for of in operations(&world) {
        for input in of.fields() {
            let kept = size::of(3, NUMBERS.len());
            let from = if size::is_long() { 0 } else { random.random_range(0..NUMBERS.len()) };
            for number in NUMBERS.iter().cycle().skip(from).take(kept) {
                if of.is_form {
                    abuse(&world, &of, input, &json!(number));
                    continue;
                }
                // As text, because no number of ours holds all of them.
                let mut body = world.body(&of);
                body[&input.name] = json!("@value@");
                let body = body.to_string().replace("\"@value@\"", number);
                let ask = world.request(&of, &of.target(&world, None)).json(body);
                named(&input.name, &ask, &world.ask(&ask));
            }
        }
    }
    world.is_well();
}

/// Texts that are the hardest to keep, in every field of a subscriber that holds any, on both surfaces that have them.
#[test]
fn what_a_subscriber_may_be_called_is_kept_to_the_byte() {
    let world = World::new();
    let subscribers: Vec<_> =
        operations(&world).into_iter().filter(|of| matches!(of.route.action, "subscribers.create")).collect();
    let mut came_back_at_all = 0;
    for of in &subscribers {
        for input in of.fields().filter(|input| KEPT.contains(&input.name.as_str())) {
            for text in [
                "e\u{301}",
                "\u{e9}",
                "{{7*7}}",
                "'; DROP TABLE subscribers; --",
                "👩\u{200d}👧",
                "\u{202e}a",
                "%00",
                "a\u{feff}",
            ] {
                came_back_at_all += usize::from(abuse(&world, of, input, &json!(text)));
            }
        }
    }
    assert!(came_back_at_all > 60, "{came_back_at_all}");
    assert!(world.home.count("subscribers") > 60);
    world.is_well();
}

/// The judge sees a value that came back as another.
#[test]
fn a_value_that_was_bent_would_be_seen() {
    let world = World::new();
    let of = operations(&world).into_iter().find(|of| of.route.action == "packages.create").unwrap();
    let input = of.fields().find(|input| input.name == "name").unwrap().clone();
    let ask = put(&world, &of, &input, &json!("bent"));
    let got = world.ask(&ask);
    assert!(came_back(&world, &of, &input, &json!("bent"), &ask, &got));
    let other = std::panic::AssertUnwindSafe(|| came_back(&world, &of, &input, &json!("bent\u{301}"), &ask, &got));
    assert!(std::panic::catch_unwind(other).is_err());
}
