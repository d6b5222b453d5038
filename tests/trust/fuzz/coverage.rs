//! cargo-fuzz over the same list: `tests/trust/run fuzz [seconds]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::parsers::ALL;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// Name and version of each crate in a lock file, with its checksum.
fn locked(text: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let packages = text.split("[[package]]").skip(1);
    packages.map(|of| ((value(of, "name"), value(of, "version")), value(of, "checksum"))).collect()
}

/// What is fuzzed is what is shipped: the second lock file has what fuzzing needs beside the first one's, and nothing else.
#[test]
fn the_crates_under_fuzzing_are_the_panels() {
    let ours = locked(include_str!("../../../Cargo.lock"));
    let fuzzed = locked(include_str!("../../fuzz/Cargo.lock"));
    assert!(fuzzed.len() > 100, "{}", fuzzed.len());
    let other: BTreeSet<_> = fuzzed.iter().filter(|(of, checksum)| ours.get(*of) != Some(*checksum)).collect();
    let names: Vec<_> = other.iter().map(|((name, _), _)| name.as_str()).collect();
    assert_eq!(names, ["arbitrary", "jobserver", "libfuzzer-sys", "panel-fuzz"], "{other:?}");
}

#[test]
fn every_parser_has_its_target_and_no_target_is_without() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for parser in &ALL {
        let name = parser.name;
        let source = fs::read_to_string(folder().join(format!("targets/{name}.rs")));
        let source = source.unwrap_or_else(|e| panic!("targets/{name}.rs: {e}"));
        assert!(source.contains(&format!("parsers::check(\"{name}\", data)")), "{source}");
        assert!(manifest.contains(&format!("\nname = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name}");
    }
    assert_eq!(fs::read_dir(folder().join("targets")).unwrap().count(), ALL.len());
    assert_eq!(manifest.matches("[[bin]]").count(), ALL.len());
}

fn cargo_fuzz(verb: &str, name: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", verb, "--fuzz-dir"]).arg(folder());
    // Without a sanitizer: this repository has no unsafe code, and the panel brings its own allocator.
    command.args(["--sanitizer", "none", name]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // Of the tool chain that runs this test.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

/// The last figure after a word in what libFuzzer says.
fn figure(said: &str, word: &str) -> u64 {
    let digits =
        |rest: &str| rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned();
    said.rsplit_once(word).and_then(|(_, rest)| digits(rest).parse().ok()).unwrap_or_default()
}

#[test]
#[ignore = "long form: tests/trust/run"]
fn coverage_finds_no_input_that_breaks_a_parser() {
    let seconds = std::env::var("PANEL_FUZZ_SECONDS").map_or(60, |seconds| seconds.parse::<u32>().unwrap());
    let only = std::env::var("PANEL_FUZZ_TARGET").ok();
    for parser in ALL.iter().filter(|parser| only.as_deref().is_none_or(|only| only == parser.name)) {
        let corpus = folder().join("corpus").join(parser.name);
        fs::create_dir_all(&corpus).unwrap();
        for (number, example) in parser.examples.iter().enumerate() {
            fs::write(corpus.join(format!("example-{number}")), example).unwrap();
        }
        let mut command = cargo_fuzz("run", parser.name);
        // Stops by itself, or by its own deadline for one input.
        command.args(["--", "-print_final_stats=1", "-timeout=20", "-max_len=4096", "-rss_limit_mb=2048"]);
        command.arg(format!("-max_total_time={seconds}"));
        let output = command.output().unwrap_or_else(|e| panic!("cargo does not start: {e}"));
        let said = String::from_utf8_lossy(&output.stderr);
        let end = said.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
        assert!(output.status.success(), "{}: {}\n{end}", parser.name, output.status);
        let (runs, covered) = (figure(&said, "stat::number_of_executed_units:"), figure(&said, " cov: "));
        let inputs = fs::read_dir(&corpus).unwrap().count();
        tell!("{:>16}: {runs} runs in {seconds} s, {covered} edges, {inputs} inputs kept", parser.name);
        assert!(runs > 1_000, "{}: hardly anything was tried: {runs}\n{end}", parser.name);
        assert!(inputs > parser.examples.len(), "{}: nothing new was found\n{end}", parser.name);
    }
}
