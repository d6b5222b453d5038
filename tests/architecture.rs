//! The "never" lines of the rooms, checked by reading src/: who may name whom, where SQL may stand, which words no statement may use.
//!
//! A word counts where the compiler would see it: comments, strings and character literals are not names; strings are read on their
//! own, for SQL. `use` groups, `self` and `super` are resolved. Renames (`use x as y`) are not followed: clippy's disallowed types and
//! methods see through those.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

#[path = "architecture/lexer.rs"]
mod lexer;

use lexer::{Name, Text};

const MAX_LINES: usize = 400;

enum Never {
    /// Consecutive segments of a path. A segment also stands for its family: `actix` for `actix_web`.
    Name(&'static str),
    /// `crate::` followed by anything but the own room.
    OtherRooms,
    /// A string that begins a statement.
    Sql,
    /// In a string, whatever the case and the white space; `!` in front: also inside a longer word.
    Word(&'static str),
}

struct Rule {
    /// Path below src/ without `.rs`; "" is all of src/.
    within: &'static str,
    except: &'static str,
    never: &'static [Never],
    why: &'static str,
}

use Never::{Name as N, OtherRooms, Sql, Word as W};

const RULES: &[Rule] = &[
    Rule {
        within: "",
        except: "store",
        never: &[N("rusqlite"), N("r2d2")],
        why: "one seam, store::Db: another engine must fit behind it",
    },
    Rule {
        within: "domain",
        except: "",
        never: &[N("actix"), N("Utc::now"), N("Local::now"), N("SystemTime"), N("Instant::now"), OtherRooms],
        why: "what the business is: pure values, the clock is an argument",
    },
    Rule {
        within: "store",
        except: "",
        never: &[
            N("actix"),
            N("serde_json"),
            N("policy::evaluate"),
            N("crate::http"),
            N("crate::actions"),
            N("crate::cli"),
            N("crate::jobs"),
        ],
        why: "the database: no JSON, no decision, no room above",
    },
    Rule {
        within: "store",
        except: "store/engine",
        never: &[
            W("INSERT OR"),
            W("!rowid"),
            W("datetime("),
            W("random()"),
            W("json_"),
            W("strftime"),
            W("PRAGMA"),
            W("SELECT *"),
        ],
        why: "statements are portable: what SQLite alone understands lives in store/engine",
    },
    Rule {
        within: "actions",
        except: "",
        never: &[N("actix"), N("StatusCode"), Sql, N("crate::http"), N("crate::cli"), N("crate::jobs")],
        why: "every surface and the command line share it: it knows no door and no statement",
    },
    Rule {
        within: "jobs",
        except: "",
        never: &[N("actix"), Sql, N("crate::http"), N("crate::cli")],
        why: "what runs by the clock goes through actions and store",
    },
    Rule {
        within: "http",
        except: "",
        never: &[Sql, N("crate::cli")],
        why: "the network's door: wire in, action, wire out",
    },
    Rule { within: "cli", except: "", never: &[Sql], why: "the operator's door calls actions" },
    Rule { within: "crypto", except: "", never: &[N("actix"), Sql], why: "bytes in, bytes out" },
    Rule {
        within: "http/external",
        except: "",
        never: &[N("http::panel"), N("http::billing"), N("http::admin"), N("http::*")],
        why: "surfaces are siblings that do not know each other",
    },
    Rule {
        within: "http/panel",
        except: "",
        never: &[N("http::external"), N("http::billing"), N("http::admin"), N("http::*")],
        why: "surfaces are siblings that do not know each other",
    },
    Rule {
        within: "http/billing",
        except: "",
        never: &[N("http::external"), N("http::panel"), N("http::admin"), N("http::*")],
        why: "surfaces are siblings that do not know each other",
    },
    Rule {
        within: "http/admin",
        except: "",
        never: &[N("http::external"), N("http::panel"), N("http::billing"), N("http::*")],
        why: "surfaces are siblings that do not know each other",
    },
];

/// `file` is relative to src/, with slashes. One line per finding: place, what stands there, the rule, the reason.
fn check(file: &str, source: &str) -> Vec<String> {
    let (names, texts) = lexer::read(&module_of(file), source);
    let mut found = Vec::new();
    if !source.starts_with("//!") {
        found.push(format!("src/{file}:1: the file must open with one //! line: it says what the file is"));
    }
    let lines = source.lines().count();
    if lines > MAX_LINES && !holds_tests(file) {
        found
            .push(format!("src/{file}:{MAX_LINES}: {lines} lines, at most {MAX_LINES}: split by verb within the noun"));
    }
    for rule in RULES
        .iter()
        .filter(|rule| is_within(file, rule.within) && (rule.except.is_empty() || !is_within(file, rule.except)))
    {
        let room = if rule.within.is_empty() { "src (outside store)" } else { rule.within };
        let mut report =
            |line: usize, what: &str| found.push(format!("src/{file}:{line}: {room} never says {what}: {}", rule.why));
        for never in rule.never {
            match never {
                N(word) => {
                    names.iter().filter(|name| has(name, word)).for_each(|name| report(name.line, &name.path()));
                }
                OtherRooms => {
                    names
                        .iter()
                        .filter(|name| leaves(name, rule.within))
                        .for_each(|name| report(name.line, &name.path()));
                }
                Sql => texts.iter().filter(|text| is_sql(&text.value)).for_each(|text| report(text.line, "SQL")),
                W(word) => {
                    texts
                        .iter()
                        .filter(|text| says(text, word))
                        .for_each(|text| report(text.line, word.trim_start_matches('!')));
                }
            }
        }
    }
    found
}

/// Files of tests alone may be long: a folder tests/, or tests.rs behind `#[cfg(test)] mod tests;`. All other rules hold for them.
fn holds_tests(file: &str) -> bool {
    file.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] || module == ["main"] {
        module.pop();
    }
    module
}

fn is_within(file: &str, room: &str) -> bool {
    room.is_empty() || file.strip_prefix(room).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn has(name: &Name, word: &str) -> bool {
    let wanted: Vec<&str> = word.split("::").collect();
    let is = |segment: &str, want: &str| {
        segment == want || segment.strip_prefix(want).is_some_and(|rest| rest.starts_with('_') && wanted.len() == 1)
    };
    name.segments.windows(wanted.len()).any(|part| part.iter().zip(&wanted).all(|(segment, want)| is(segment, want)))
}

fn leaves(name: &Name, room: &str) -> bool {
    matches!(name.segments.as_slice(), [root, next, ..] if root == "crate" && next != room)
}

fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    // Lower case needs the second key word, or English would be taken for SQL: "update the key", "with a grace period".
    match words.as_slice() {
        // A route, not a statement.
        ["DELETE", path, ..] if path.starts_with('/') => false,
        [
            "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" | "PRAGMA" | "CREATE" | "ALTER" | "DROP" | "ATTACH"
            | "VACUUM",
            _,
            ..,
        ] => true,
        ["select", rest @ ..] => rest.contains(&"from"),
        ["insert", "into", _, ..] | ["delete", "from", _, ..] | ["update", _, "set", ..] | ["with", _, "as", ..] => {
            true
        }
        _ => false,
    }
}

fn says(text: &Text, word: &str) -> bool {
    let flat = text.value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let anywhere = word.starts_with('!');
    let word = word.trim_start_matches('!').to_lowercase();
    let begins = |at: usize| {
        flat.get(..at).and_then(|before| before.chars().next_back()).is_none_or(|c| !(c.is_alphanumeric() || c == '_'))
    };
    flat.match_indices(&word).any(|(at, _)| anywhere || begins(at))
}

fn files(folder: &Path, prefix: &str, into: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &format!("{name}/"), into)?;
        } else if name.ends_with(".rs") {
            into.push((name, std::fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

#[test]
fn the_house_keeps_its_never_lines() -> io::Result<()> {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut all)?;
    all.sort();
    // Without this, a moved src/ would pass because nothing was read.
    assert!(
        all.iter().any(|(file, _)| is_within(file, "domain")),
        "src/domain is missing: are the rooms somewhere else now?"
    );

    let mut report = String::new();
    for line in all.iter().flat_map(|(file, source)| check(file, source)) {
        let _ = write!(report, "\n{line}");
    }

    assert!(report.is_empty(), "{report}");
    Ok(())
}

#[test]
fn what_breaks_a_rule_is_found_on_its_line() {
    for (file, source) in [
        ("domain/keys.rs", "use actix_web::web;"),
        ("domain/keys.rs", "let now = chrono::Utc::now();"),
        ("domain/keys.rs", "let now = Utc :: now();"),
        ("domain/keys.rs", "use std::time::{Duration, SystemTime};"),
        ("domain/keys.rs", "use std::{time::{Duration, Instant}}; fn f() { Instant::now(); }"),
        ("domain/keys.rs", "use crate::store;"),
        ("domain/keys.rs", "use crate::{domain::users, config::Config};"),
        ("domain/keys.rs", "use super::super::store::Db;"),
        ("domain/keys.rs", "mod tests { use super::super::super::http; }"),
        ("domain/mod.rs", "use super::actions;"),
        ("domain.rs", "fn f() -> crate::jobs::Job {}"),
        ("domain/keys.rs", "use crate::*;"),
        ("domain/keys.rs", "const C: char = '\"'; use actix_web::web; const D: char = '\"';"),
        ("domain/keys.rs", "fn f<'a>(x: &'a str) -> actix_web::Error {}"),
        ("domain/keys.rs", "const S: &str = r#\" \" \"#; use actix_web::web;"),
        ("domain/keys.rs", "/* a /* nested */ comment */ use actix_web::web;"),
        ("store/keys.rs", "use serde_json::Value;"),
        ("store/keys.rs", "policy::evaluate(caller)"),
        ("store/keys.rs", "use crate::domain::policy::{Permit, evaluate};"),
        ("store/keys.rs", "const Q: &str = \"insert \\\n  or ignore into keys\";"),
        ("store/keys.rs", "const Q: &str = \"SELECT last_insert_rowid()\";"),
        ("store/keys.rs", "const Q: &str = r\"SELECT  * FROM keys\";"),
        ("store/keys.rs", "const Q: &str = \"SELECT json_extract(x, '$')\";"),
        ("store/mod.rs", "c.execute(\"PRAGMA foreign_keys = ON\")"),
        ("actions/keys.rs", "use rusqlite::params;"),
        ("actions/keys.rs", "const Q: &str = \"\n    SELECT id FROM keys\";"),
        ("actions/keys.rs", "HttpError(StatusCode::OK)"),
        ("actions/keys.rs", "use crate::http::door;"),
        ("jobs/backups.rs", "let q = \"DELETE FROM request_logs\";"),
        ("http/admin/keys.rs", "let q = \"SELECT id FROM keys\";"),
        ("http/admin/keys.rs", "let q = r##\"select id from keys\"##;"),
        ("http/admin/keys.rs", "use r2d2_sqlite::SqliteConnectionManager;"),
        ("http/admin/keys.rs", "use crate::http::panel::View;"),
        ("http/admin/keys.rs", "use super::super::external;"),
        ("http/billing/mod.rs", "use super::{door, admin::View};"),
        ("http/panel/keys.rs", "use super::super::*;"),
        ("cli/keys.rs", "let q = \"UPDATE keys SET name = ?1\";"),
        ("crypto.rs", "use actix_web::web;"),
        ("crypto/seal.rs", "let q = \"WITH a AS (SELECT 1)\";"),
        ("config.rs", "use rusqlite::Connection;"),
    ] {
        let found = check(file, &format!("//! A file.\n{source}"));
        assert!(!found.is_empty(), "passed in {file}: {source}");
        assert!(
            found.iter().all(|line| line.starts_with(&format!("src/{file}:2: "))),
            "wrong line in {file}: {found:?}"
        );
    }
}

#[test]
fn what_only_looks_like_a_breach_passes() {
    for (file, source) in [
        ("domain/keys.rs", "// actix_web::web polls extractors together\n/* crate::store */ /// rusqlite\nfn f() {}"),
        ("domain/keys.rs", "const S: &str = \"use actix_web::web; // crate::store\";"),
        ("domain/keys.rs", "const S: &str = \"\\\" actix_web::web \\\\\"; const R: &[u8] = br#\"\"actix_web\"\"#;"),
        (
            "domain/keys.rs",
            "use crate::domain::{users::User, error::Invalid}; use super::users; use chrono::{DateTime, Utc};",
        ),
        ("domain/keys.rs", "mod tests { use super::*; use super::super::users; } use super::policy;"),
        ("domain/keys.rs", "fn f(now: Instant, r#type: u8) { for i in 0..9 { 'outer: loop { break 'outer; } } }"),
        (
            "store/keys.rs",
            "use rusqlite::params; const Q: &str = \"SELECT id, details_json_text, count(*) FROM keys\";",
        ),
        ("store/engine/connection.rs", "c.execute(\"PRAGMA journal_mode = WAL\")"),
        ("store/engine.rs", "c.execute(\"PRAGMA journal_mode = WAL\")"),
        (
            "actions/keys.rs",
            "let s = \"update the key first\"; let t = \"with a grace period\"; let u = \"Select one\";",
        ),
        (
            "http/admin/keys.rs",
            "let s = \"DELETE\"; let t = \"DELETE /api/v1/keys/1\"; use super::error; use crate::http::door;",
        ),
        ("http/panel/keys.rs", "use crate::http::panel::View; use super::auth; let admin = external;"),
        ("http/mod.rs", "mod admin; mod panel; use self::external::routes;"),
        ("store_front.rs", "let q = \"SELECT * FROM keys\";"),
    ] {
        let found = check(file, &format!("//! A file.\n{source}"));
        assert!(found.is_empty(), "refused in {file}: {found:?}");
    }
}

#[test]
fn a_file_says_what_it_is_and_stays_short() {
    let long = format!("//! A file.\n{}", "\n".repeat(MAX_LINES));
    assert_eq!(check("lib.rs", "pub mod domain;\n").len(), 1);
    assert_eq!(check("lib.rs", "").len(), 1);
    assert_eq!(check("domain/keys.rs", &long).len(), 1);
    assert!(check("domain/keys.rs", &"//! A line.\n".repeat(MAX_LINES)).is_empty());
    assert!(check("domain/tests.rs", &long).is_empty());
    assert!(check("domain/tests/keys.rs", &long).is_empty());
}
