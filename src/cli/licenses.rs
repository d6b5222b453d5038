//! `panel licenses`: what may be done with this program, and the texts of all that is linked into it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::output::{Failure, Outcome, Output, print};

/// Made from the lock file and the sources of the crates: PANEL_WRITE_GOLDEN=1 cargo test --test cli licenses
const CRATES: &str = include_str!("licenses/crates.json");

/// What is in the binary and is no crate: name, SPDX expression, text.
const BESIDE: [(&str, &str, &str); 3] = [
    ("Rust", "MIT AND Apache-2.0 WITH LLVM-exception AND Unicode-3.0", include_str!("licenses/rust.txt")),
    ("SQLite", "blessing", include_str!("licenses/sqlite.txt")),
    ("@zxcvbn-ts/language-common", "MIT", include_str!("licenses/passwords.txt")),
];

const RULE: &str = "--------------------------------------------------------------------------------";

#[derive(Deserialize)]
struct Crates {
    crates: Vec<Crate>,
    /// Each text once; crates name them by their place.
    texts: Vec<String>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    license: String,
    texts: Vec<usize>,
}

/// One part of the binary as it is printed.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    license: &'a str,
    texts: Vec<&'a str>,
}

impl Part<'_> {
    fn title(&self) -> String {
        match self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.to_owned(),
        }
    }
}

pub fn run(output: Output) -> Outcome {
    let broken = |error: serde_json::Error| {
        Failure::new(format!("the list of licences is damaged: {error}"), "This is a fault of ours; please report it.")
    };
    let crates: Crates = serde_json::from_str(CRATES).map_err(broken)?;
    let parts = parts(&crates);
    if output.json {
        return print(&serde_json::to_string_pretty(&parts).map_err(broken)?);
    }
    print(readable(&parts).trim_end())
}

/// The program itself first, then what is in it.
fn parts(crates: &Crates) -> Vec<Part<'_>> {
    let own = Part {
        name: env!("CARGO_PKG_NAME"),
        version: Some(env!("CARGO_PKG_VERSION")),
        license: env!("CARGO_PKG_LICENSE"),
        texts: vec![include_str!("../../LICENSE")],
    };
    let beside = BESIDE.map(|(name, license, text)| Part { name, version: None, license, texts: vec![text] });
    let linked = crates.crates.iter().map(|one| Part {
        name: &one.name,
        version: Some(&one.version),
        license: &one.license,
        texts: one.texts.iter().filter_map(|at| crates.texts.get(*at).map(String::as_str)).collect(),
    });
    std::iter::once(own).chain(beside).chain(linked).collect()
}

/// A list of the parts, then each text once, under the parts that it is for.
fn readable(parts: &[Part<'_>]) -> String {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut texts: Vec<(&str, Vec<String>)> = Vec::new();
    let mut page = String::from(
        "panel is free software: you may use, study, share and change it under the GNU General Public License, version 3 or\n\
         any later version. It comes without any warranty. It contains the following; the numbers stand for the texts below.\n\
         Where a part leaves the choice, MIT is taken and its text alone is shown.\n\n",
    );
    for part in parts {
        let mut marks = String::new();
        for text in &part.texts {
            let at = *numbers.entry(text).or_insert_with(|| {
                texts.push((text, Vec::new()));
                texts.len()
            });
            if let Some((_, titles)) = texts.get_mut(at - 1) {
                titles.push(part.title());
            }
            marks += &format!(" [{at}]");
        }
        page += &format!("{}: {}{marks}\n", part.title(), part.license);
    }
    for (at, (text, titles)) in texts.iter().enumerate() {
        page += &format!("\n{RULE}\n[{}] {}\n\n{}\n", at + 1, titles.join(", "), text.trim_end());
    }
    page
}
