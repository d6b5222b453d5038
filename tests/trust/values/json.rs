//! Bodies: whatever stands in one, the answer is the surface's own, names what is wrong, and is never a fault of ours.

use std::fmt::Write as _;
use std::time::Instant;

use panel::domain::routes::{Need, Surface};
use serde_json::Value;

use super::described::{Operation, operations};
use super::json_corpus::{ACCEPTED, EITHER, NO_UTF8, REFUSED, WHOLE};
use super::wire::{Ask, Got};
use super::world::World;
use crate::home::DEADLINE;
use crate::size;

/// A name that no route reads.
const UNREAD: &str = "zzz";

/// The operations with a body of JSON.
fn with_bodies(world: &World) -> Vec<Operation> {
    let all: Vec<_> = operations(world).into_iter().filter(|of| of.has_body && !of.is_form).collect();
    assert!(all.len() >= 36, "{}", all.len());
    for surface in Surface::ALL {
        assert!(all.iter().any(|of| of.route.surface == surface), "{surface:?}");
    }
    all
}

fn send(world: &World, of: &Operation, body: impl Into<Vec<u8>>) -> (Ask, Got) {
    let ask = world.request(of, &of.target(world, None)).json(body);
    let began = Instant::now();
    let got = world.ask(&ask);
    assert!(began.elapsed() < DEADLINE, "{}", ask.told());
    (ask, got)
}

/// A good body with this text in front of its closing brace.
fn with(world: &World, of: &Operation, more: &str) -> Vec<u8> {
    let body = world.body(of).to_string();
    let comma = if body == "{}" { "" } else { ", " };
    format!("{}{comma}{more}}}", body.strip_suffix('}').unwrap()).into_bytes()
}

/// The refusal of what is no JSON, in the words of the surface.
#[track_caller]
fn is_malformed(of: &Operation, ask: &Ask, got: &Got) {
    let told = format!("{} → {} {}", ask.told(), got.status, got.text);
    assert_eq!(got.status, 400, "{told}");
    let code = match of.route.surface {
        Surface::External => got.body["error"]["code"] == "INVALID_JSON",
        Surface::Panel => got.body["code"] == "VALIDATION_ERROR",
        Surface::Billing | Surface::Admin => true,
    };
    assert!(code && is_about_json(got), "{told}");
}

fn is_about_json(got: &Got) -> bool {
    got.says().to_ascii_lowercase().contains("the body is not valid json: ")
}

/// What a good body comes to. A value that nobody reads changes nothing of it.
fn good(world: &World, of: &Operation) -> u16 {
    let (ask, got) = send(world, of, world.body(of).to_string());
    assert!(got.status < 300 || of.route.need == Need::Nobody || got.status == 400, "{} {}", ask.told(), got.text);
    got.status
}

#[test]
fn what_is_no_json_is_refused_as_that_by_every_route() {
    let world = World::new();
    for of in with_bodies(&world) {
        for (_, body) in WHOLE {
            let (ask, got) = send(&world, &of, *body);
            is_malformed(&of, &ask, &got);
        }
        for value in REFUSED {
            let (ask, got) = send(&world, &of, with(&world, &of, &format!("\"{UNREAD}\": {value}")));
            is_malformed(&of, &ask, &got);
        }
        for (_, bytes) in NO_UTF8 {
            let in_value = [b"{\"zzz\": \"".as_slice(), bytes, b"\"}"].concat();
            let in_name = [b"{\"zz".as_slice(), bytes, b"\": 1}"].concat();
            for body in [in_value, in_name] {
                let (ask, got) = send(&world, &of, body);
                is_malformed(&of, &ask, &got);
            }
        }
    }
    world.is_well();
}

#[test]
fn what_is_json_and_nobody_reads_changes_no_answer() {
    let world = World::new();
    for of in with_bodies(&world) {
        let good = good(&world, &of);
        for value in ACCEPTED {
            let (ask, got) = send(&world, &of, with(&world, &of, &format!("\"{UNREAD}\": {value}")));
            assert_eq!(got.status, good, "{} → {}", ask.told(), got.text);
        }
        for value in EITHER {
            let (ask, got) = send(&world, &of, with(&world, &of, &format!("\"{UNREAD}\": {value}")));
            if got.status != good {
                is_malformed(&of, &ask, &got);
            }
        }
        let spaced = format!(" \n\t\r{} \r\n\t ", world.body(&of));
        let (ask, got) = send(&world, &of, spaced);
        assert_eq!(got.status, good, "{} → {}", ask.told(), got.text);
    }
    world.is_well();
}

/// One answer everywhere: what is read may be given once, in whatever letters its name is written; of what nobody reads
/// nobody counts how often.
#[test]
fn a_field_given_twice_is_refused_by_name_on_every_surface() {
    let world = World::new();
    for of in with_bodies(&world) {
        let good = good(&world, &of);
        for input in of.fields() {
            let mut body = world.body(&of);
            body.as_object_mut().unwrap().remove(&input.name);
            let rest = body.to_string();
            let rest = rest.trim_start_matches('{').trim_end_matches('}');
            let comma = if rest.is_empty() { "" } else { ", " };
            let mut spelt = String::new();
            for (at, c) in input.name.chars().enumerate() {
                // The same name to whoever reads JSON.
                let _ = if at == 0 { write!(spelt, "\\u{:04x}", u32::from(c)) } else { write!(spelt, "{c}") };
            }
            let value = world.body(&of)[&input.name].to_string();
            for (one, other) in [(&value, "null"), (&value, &value)] {
                let twice = format!("{{\"{}\": {one}, {rest}{comma}\"{spelt}\": {other}}}", input.name);
                let (ask, got) = send(&world, &of, twice);
                let told = format!("{} → {} {}", ask.told(), got.status, got.text);
                assert_eq!(got.status, 400, "{told}");
                let says = got.says();
                assert!(says.contains(&input.name) && says.contains("is given twice"), "{told}");
            }
        }
        let (ask, got) = send(&world, &of, with(&world, &of, "\"zzz\": 1, \"zzz\": 2"));
        assert_eq!(got.status, good, "{} → {}", ask.told(), got.text);
    }
    world.is_well();
}

/// JSON that is right and a value that is not: refused by the name of its field, or as a body at its place.
#[test]
fn a_field_with_a_value_from_the_edge_is_taken_or_named() {
    let world = World::new();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let edge: Vec<&str> = ACCEPTED.iter().chain(EITHER).copied().chain([deep.as_str()]).collect();
    let step = size::of(5, 1);
    for (number, of) in with_bodies(&world).iter().enumerate() {
        for (place, input) in of.fields().enumerate() {
            for value in edge.iter().skip((number + place) % step).step_by(step) {
                // A file of users that is changed for good would end what comes after.
                let mut body = world.body(of);
                body.as_object_mut().unwrap().remove(&input.name);
                let mut text = body.to_string();
                text.truncate(text.len() - 1);
                let comma = if text == "{" { "" } else { ", " };
                let (ask, got) = send(&world, of, format!("{text}{comma}\"{}\": {value}}}", input.name));
                named(&input.name, &ask, &got);
            }
        }
    }
    world.is_well();
}

/// What is refused says which field or which place of the body.
#[track_caller]
pub fn named(field: &str, ask: &Ask, got: &Got) {
    let says = got.says();
    let by_place = is_about_json(got) && says.contains("line ");
    let known = match got.status {
        200..=299 => true,
        400 | 403 => by_place || says.to_ascii_lowercase().contains(&field.to_ascii_lowercase()),
        // Whoever logs in wrongly learns nothing; a name is taken, a row is elsewhere.
        401 => ask.target.contains("/auth/login"),
        404 | 409 => true,
        413 => ask.body.len() > 8 * 1024,
        _ => false,
    };
    // What is asked for before any field is looked at.
    let first = ["Username and password are required", "current_password is not the current password"];
    assert!(known || first.contains(&says.as_str()), "{} → {} {}", ask.told(), got.status, got.text);
}

/// Depth and size cost neither the stack nor the answer.
#[test]
fn deep_wide_and_long_bodies_are_read_or_refused_at_once() {
    let world = World::new();
    let all = with_bodies(&world);
    // All routes of a surface read with the same reader, those with a list of flags with another.
    let told_apart =
        |of: &Operation| (of.route.surface, of.route.need == Need::Nobody, of.route.action.contains("features"));
    let mut seen = Vec::new();
    let some = all.iter().filter(|of| {
        size::is_long()
            || !seen.contains(&told_apart(of)) && {
                seen.push(told_apart(of));
                true
            }
    });
    let some: Vec<_> = some.collect();
    let mut bodies: Vec<(String, String)> = Vec::new();
    for depth in [10, 126, 127, 128, 129, 1_000, 10_000, 100_000] {
        bodies.push((format!("{depth} arrays"), format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
        bodies.push((format!("{depth} objects"), format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))));
    }
    let keys = (0..100_000).fold(String::new(), |mut keys, n| {
        let _ = write!(keys, "{}\"{n:x}\":0", if n == 0 { "" } else { "," });
        keys
    });
    bodies.push(("100 000 keys".to_owned(), format!("{{{keys}}}")));
    bodies.push(("nearly 1 MiB of text".to_owned(), format!("\"{}\"", "x".repeat(1024 * 1024 - 4096))));
    bodies.push(("nearly 1 MiB of escapes".to_owned(), format!("\"{}\"", "\\u0041".repeat(170_000))));
    bodies.push(("nearly 1 MiB of digits".to_owned(), "9".repeat(1024 * 1024 - 4096)));
    for of in &some {
        let good = good(&world, of);
        for (name, value) in &bodies {
            let (ask, got) = send(&world, of, with(&world, of, &format!("\"{UNREAD}\": {value}")));
            let told = format!("{name}: {:.200} → {} {}", ask.told(), got.status, got.text);
            let long = of.route.need == Need::Nobody && ask.body.len() > 8 * 1024 || ask.body.len() > 1024 * 1024;
            assert_eq!(got.status, if long { 413 } else { good }, "{told}");
        }
        for open in ["[", "{\"a\":", "{\"zzz\":[", "\""] {
            let (ask, got) = send(&world, of, format!("{{\"{UNREAD}\": {}", open.repeat(1_000)));
            is_malformed(of, &ask, &got);
        }
        let flat = with(&world, of, keys.as_str());
        let (ask, got) = send(&world, of, flat);
        assert!(got.status == good || got.status == 413, "{:.200} → {} {}", ask.told(), got.status, got.text);
    }
    world.is_well();
}

/// The judge sees what it is for: a body that is taken though it is broken, and a fault of ours.
#[test]
fn a_body_that_is_taken_would_be_seen() {
    let world = World::new();
    let of = with_bodies(&world).into_iter().find(|of| of.route.action == "packages.create").unwrap();
    let (ask, got) = send(&world, &of, world.body(&of).to_string());
    assert_eq!(got.status, 201);
    let judged = std::panic::catch_unwind(|| is_malformed(&of, &ask, &got));
    assert!(judged.is_err(), "{}", got.text);
    let mut fault = got;
    (fault.status, fault.body) = (400, Value::Null);
    assert!(std::panic::catch_unwind(|| named("name", &ask, &fault)).is_err());
}
