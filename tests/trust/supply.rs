//! What is linked: each crate for a reason that is written down, used, with the features it is used for; no unsafe code of
//! ours. Licences, sources, bans and known vulnerabilities are asked for by tests/run.

use std::fs;
use std::path::Path;

const MANIFEST: &str = include_str!("../../Cargo.toml");

/// A crate of a section of the manifest: its name, what stands above it, and how it is asked for.
struct Dependency<'a> {
    name: &'a str,
    reason: &'a str,
    asked: &'a str,
}

fn dependencies(section: &str) -> Vec<Dependency<'static>> {
    let (_, rest) = MANIFEST.split_once(&format!("\n[{section}]\n")).unwrap();
    let lines: Vec<&str> = rest.split("\n[").next().unwrap().lines().collect();
    let dependency = |pair: &[&'static str]| {
        let (name, asked) = pair[1].split_once(" = ")?;
        Some(Dependency { name, reason: pair[0], asked })
    };
    lines.windows(2).filter_map(dependency).collect()
}

pub fn sources(folder: &str) -> String {
    let mut text = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(entry).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_crate_has_its_reason_and_is_used() {
    let (ours, tests) = (sources("src"), sources("tests"));
    for (section, least) in [("dependencies", 30), ("dev-dependencies", 5)] {
        let all = dependencies(section);
        assert!(all.len() > least, "{section} is read: {}", all.len());
        for Dependency { name, reason, asked } in all {
            assert!(reason.starts_with("# "), "{name} in {section} has no reason above it");
            let path = format!("{}::", name.replace('-', "_"));
            let used = ours.contains(&path) || (section == "dev-dependencies" && tests.contains(&path));
            assert!(used, "{name} in {section} is named nowhere");
            assert!(!asked.contains("git =") && !asked.contains("path ="), "{name} is not from the registry: {asked}");
            assert!(!asked.contains('*'), "{name} may be any version: {asked}");
        }
    }
}

#[test]
fn our_own_code_may_not_be_unsafe_anywhere() {
    assert!(
        MANIFEST.contains("\n[lints.rust]\nunsafe_code = \"forbid\"\n"),
        "forbid cannot be taken back by an attribute"
    );
}
