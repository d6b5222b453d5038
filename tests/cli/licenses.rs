//! `panel licenses`: the list is held against the lock file and the sources of the crates as they are on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::home::Home;

/// Where panel runs; what only other systems link is not in the binary.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// How files are called that hold a licence or belong to one.
const NAMES: [&str; 5] = ["LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// Where a crate leaves the choice, MIT is taken: it is short, and asks for its notice alone.
const NOT_CHOSEN: [&str; 3] = ["APACHE", "UNLICENSE", "BOOST"];

/// Of sources that are in a crate and not in the binary.
const NOT_LINKED: [&str; 1] = ["libsqlite3-sys/sqlcipher/LICENSE"];

const MIT: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).arg("--locked").current_dir(env!("CARGO_MANIFEST_DIR"));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Name and version of every crate that is linked; cargo's own answer, because features decide.
fn linked() -> Vec<(String, String)> {
    let mut arguments = vec!["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    arguments.extend(TARGETS.iter().flat_map(|target| ["--target", target]));
    let tree = cargo(&arguments);
    let mut all: Vec<_> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
        })
        .filter(|(name, _)| name != "panel")
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The manifest of every crate of the lock file that these systems may need.
fn manifests() -> BTreeMap<(String, String), Value> {
    let mut arguments = vec!["metadata", "--format-version", "1"];
    arguments.extend(TARGETS.iter().flat_map(|target| ["--filter-platform", target]));
    let metadata: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
    let text = |package: &Value, field: &str| package[field].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| ((text(package, "name"), text(package, "version")), package.clone())).collect()
}

/// Every licence file below a folder, in the order of their paths.
fn licence_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
        let source = path.extension().is_some_and(|end| end == "rs");
        if path.is_dir() {
            licence_files(&path, found);
        } else if !source && NAMES.iter().any(|sign| name.contains(sign)) {
            found.push(path);
        }
    }
}

fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_matches('\n'))
}

/// Older manifests write a slash for OR.
fn expression(package: &Value) -> String {
    let license = package["license"].as_str().unwrap_or_else(|| panic!("{} names no licence", package["name"]));
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The texts that a crate came with.
fn texts_of(package: &Value) -> Vec<String> {
    let (name, folder) = (package["name"].as_str().unwrap(), Path::new(package["manifest_path"].as_str().unwrap()));
    let folder = folder.parent().unwrap();
    let mut files = Vec::new();
    licence_files(folder, &mut files);
    files.retain(|file| {
        !NOT_LINKED.contains(&format!("{name}/{}", file.strip_prefix(folder).unwrap().display()).as_str())
    });
    let license = expression(package);
    let has = |file: &Path, sign: &str| file.file_name().unwrap().to_string_lossy().to_uppercase().contains(sign);
    if license.contains(" OR ") && license.contains("MIT") && files.iter().any(|file| has(file, "MIT")) {
        files.retain(|file| !NOT_CHOSEN.iter().any(|sign| has(file, sign)));
    }
    if files.is_empty() {
        assert!(license.contains("MIT"), "{name} ({license}) comes without a text: add the text of its licence here");
        let people = package["authors"].as_array().unwrap().iter().map(|author| author.as_str().unwrap());
        let people: Vec<&str> = people.map(|author| author.split('<').next().unwrap().trim()).collect();
        let people = if people.is_empty() { format!("the authors of {name}") } else { people.join(", ") };
        return vec![format!("Copyright (c) {people}\n(from the crate's manifest; it comes without a file)\n\n{MIT}")];
    }
    files.iter().map(|file| tidy(&std::fs::read_to_string(file).unwrap())).collect()
}

/// The file as it should be.
fn made_anew() -> String {
    let manifests = manifests();
    // One text in different line breaks is one text.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut texts = Vec::new();
    let mut crates = Vec::new();
    for (name, version) in linked() {
        let package = &manifests[&(name.clone(), version.clone())];
        let license = expression(package);
        let mut own: Vec<usize> = Vec::new();
        for text in texts_of(package) {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let at = *places.entry(words).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            });
            if !own.contains(&at) {
                own.push(at);
            }
        }
        crates.push(json!({"name": name, "version": version, "license": license, "texts": own}));
    }
    let lines = |rows: Vec<Value>| rows.iter().map(Value::to_string).collect::<Vec<_>>().join(",\n");
    let texts = texts.into_iter().map(Value::from).collect();
    format!("{{\"crates\": [\n{}\n],\n\"texts\": [\n{}\n]}}\n", lines(crates), lines(texts))
}

#[test]
fn the_list_is_what_the_lock_file_and_the_sources_of_the_crates_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/licenses/crates.json");
    let is = made_anew();
    if std::env::var_os("PANEL_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &is).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let (is, kept): (Vec<&str>, Vec<&str>) = (is.lines().collect(), kept.lines().collect());
    let differs = is.iter().zip(&kept).find(|(is, kept)| is != kept);
    assert!(
        differs.is_none() && is.len() == kept.len(),
        "the crates have changed: PANEL_WRITE_GOLDEN=1 cargo test --test cli licenses\n{differs:.200?}"
    );
}

#[test]
fn every_part_is_named_with_its_licence_and_every_text_is_printed_once() {
    let home = Home::new();
    // A wrong setting must not keep anybody from the licence.
    home.write("panel.toml", "[server]\nworkers = \"many\"\n");
    let printed = home.ok(["licenses"]);
    assert_eq!(printed.stderr, "");
    for line in ["panel 1.0.0: GPL-3.0-or-later [1]", "SQLite: blessing [3]", "rusqlite "] {
        let line = line.replace("1.0.0", env!("CARGO_PKG_VERSION"));
        assert!(printed.stdout.lines().any(|printed| printed.starts_with(&line)), "{line} is missing");
    }
    let times = |words: &str| printed.stdout.matches(words).count();
    assert!(times("GNU GENERAL PUBLIC LICENSE\n") == 1 && times("SQLite is compiled in") == 1);
    // Code in C that ring brings.
    assert!(times("sourced from BoringSSL") >= 1 && times("the fiat-crypto authors") == 1);
    for stranger in ["tempfile", "proptest", "serde_derive"] {
        assert!(!printed.stdout.contains(&format!("\n{stranger} ")), "{stranger} is not linked");
    }
}

#[test]
fn as_json_each_part_has_its_texts() {
    let parts = Home::new().ok(["licenses", "--json"]).json();
    let parts = parts.as_array().unwrap();
    assert_eq!(parts[0]["name"], "panel");
    assert!(parts.len() > 100);
    for part in parts {
        let texts = part["texts"].as_array().unwrap();
        assert!(
            !texts.is_empty() && texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())),
            "{part}"
        );
        assert!(part["license"].as_str().is_some_and(|license| !license.is_empty()), "{part}");
    }
}
