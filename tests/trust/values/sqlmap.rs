//! What a widely used tool for such holes finds in every parameter and text of every route: nothing, where with the same
//! options it finds the one that was dug for it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::described::{Input, Operation, Place, operations};
use super::hole;
use super::tell;
use super::wire::Ask;
use super::world::World;

/// Tests by the truth of an answer, by errors, by rows added to it, by further statements and by time.
const OPTIONS: [&str; 12] = [
    "--batch",
    "--disable-coloring",
    "--flush-session",
    "--dbms=SQLite",
    "--level=2",
    "--risk=3",
    "--technique=BEUST",
    "--time-sec=2",
    "--threads=4",
    "--timeout=10",
    "--retries=1",
    "--ignore-code=*",
];

/// What one run came to, in the tool's words.
const FOUND: &str = "identified the following injection point";
const NOTHING: &str = "do not appear to be injectable";

fn sqlmap(folder: &Path, address: &str, ask: &Ask, of: &[&str]) -> String {
    let mut command = Command::new("sqlmap");
    command.args(OPTIONS).arg(format!("--output-dir={}", folder.display()));
    command.arg(format!("--url=http://{address}{}", ask.target)).arg(format!("--method={}", ask.method));
    for (name, value) in &ask.headers {
        command.arg(format!("--header={name}: {value}"));
    }
    if !ask.body.is_empty() {
        command.arg(format!("--data={}", String::from_utf8_lossy(&ask.body)));
    }
    if !of.is_empty() {
        command.arg(format!("-p{}", of.join(",")));
    }
    // It keeps its own settings at home.
    command.env("HOME", folder).stdin(Stdio::null());
    let ran =
        command.output().unwrap_or_else(|e| panic!("sqlmap cannot be started ({e}): tests/trust/run installs it"));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// The places of an operation that take a text or a number, and the request with something in each.
fn requests(world: &World, of: &Operation) -> Vec<(Ask, Vec<String>)> {
    let names =
        |place| of.inputs.iter().filter(move |input: &&Input| input.place == place).map(|input| input.name.clone());
    let mut all = Vec::new();
    let is_deleted = of.method == "DELETE";
    if !is_deleted && names(Place::Path).next().is_some() {
        // An asterisk is where it puts its texts.
        let mut target = of.route.path.to_owned();
        for name in names(Place::Path) {
            target = target.replace(&format!("{{{name}}}"), &format!("{}*", world.place(of, &name)));
        }
        let ask = world.request(of, &target);
        all.push((if of.has_body && !of.is_form { ask.json(world.body(of).to_string()) } else { ask }, Vec::new()));
    }
    let query: Vec<_> = names(Place::Query).collect();
    if !query.is_empty() {
        let pairs: Vec<_> = query.iter().map(|name| format!("{name}=1")).collect();
        all.push((world.request(of, &format!("{}?{}", of.target(world, None), pairs.join("&"))), query));
    }
    if of.has_body && !of.is_form && !is_deleted {
        let mut body = world.body(of);
        let texts: Vec<_> = of.fields().filter(|input| input.is("string")).map(|input| input.name.clone()).collect();
        for name in &texts {
            if body.get(name).is_none_or(|value| !value.is_string()) {
                body[name] = "2027-01-01".into();
            }
        }
        if !texts.is_empty() {
            all.push((world.request(of, &of.target(world, None)).json(body.to_string()), texts));
        }
    }
    all
}

#[test]
#[ignore = "long form: tests/trust/run"]
fn sqlmap_finds_the_hole_that_was_dug_and_none_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let dug = hole::open().to_string();
    for (ask, of) in [
        (Ask::new("GET", "/people?name=ada"), vec!["name"]),
        (Ask::new("POST", "/people").json(r#"{"name": "ada"}"#), vec!["name"]),
        (Ask::new("GET", "/people?name=ada*"), Vec::new()),
    ] {
        let said = sqlmap(folder.path(), &dug, &ask, &of);
        assert!(said.contains(FOUND), "it does not find what it is to find: {said}");
    }
    let world = World::new();
    let (began, mut runs, mut places) = (Instant::now(), 0, 0);
    for of in operations(&world) {
        for (ask, names) in requests(&world, &of) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let said = sqlmap(folder.path(), &world.server.address.to_string(), &ask, &names);
            assert!(!said.contains(FOUND), "{}\n{said}", ask.told());
            assert!(said.contains(NOTHING), "it did not come to an end with {}\n{said}", ask.told());
            runs += 1;
            places += names.len().max(ask.target.matches('*').count());
            tell(&format!("{:>5} s: nothing in {} {} {names:?}", began.elapsed().as_secs(), ask.method, ask.target));
        }
    }
    tell!("sqlmap: {runs} runs over {places} parameters, nothing; the hole that was dug: found three times of three");
    assert!(runs > 80 && places > 200, "{runs} {places}");
    world.is_well();
}
