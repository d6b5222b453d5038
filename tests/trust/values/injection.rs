//! SQL in every parameter and field: an answer is that to a harmless text of the same shape, the tables stay what they
//! were, and no word of a statement comes out.

use rand::RngExt as _;
use serde_json::{Value, json};

use super::described::{Input, Operation, Place, escaped, operations};
use super::hole;
use super::strings::put;
use super::tell;
use super::wire::{Ask, Wire};
use super::world::World;
use crate::size;

/// What turns a text in a statement into a part of it, by where it stands: in a text, a number, a list, a LIKE, the order
/// of rows, a JSON path, a full-text search.
const SQL: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\'",
    "';",
    "';--",
    "' --",
    "'/*",
    "')",
    "'))",
    "') --",
    "\")--",
    "' OR '1'='1",
    "' OR 1=1 --",
    "' OR 1=1/*",
    "') OR ('1'='1",
    "\" OR \"\"=\"",
    "' AND 1=0 --",
    "' AND '1'='2",
    "'||'",
    "'||(SELECT 'a')||'",
    "1 OR 1=1",
    "1) OR (1=1",
    "1 AND 1=0",
    "1-0",
    "1+0",
    "1*1",
    "-1 OR 1",
    "1e0",
    "1;SELECT 1",
    "1 --",
    "1/**/",
    "(SELECT 1)",
    "CASE WHEN 1=1 THEN 1 ELSE 0 END",
    "' UNION SELECT NULL --",
    "' UNION SELECT 1,2,3,4,5,6,7,8,9,10 --",
    "' UNION ALL SELECT sql FROM sqlite_master --",
    "1 UNION SELECT password_hash FROM users",
    "' UNION VALUES (1),(2) --",
    "'; DROP TABLE subscribers; --",
    "'; DELETE FROM users; --",
    "'; UPDATE users SET role='admin'; --",
    "'; INSERT INTO users (id) VALUES (99); --",
    "'; PRAGMA writable_schema=ON; --",
    "'; ATTACH 'stolen.db' AS a; --",
    "'; VACUUM INTO 'stolen.db'; --",
    "1; SELECT load_extension('a')",
    "' AND randomblob(1000000000) --",
    "' AND zeroblob(1000000000) IS NOT NULL --",
    "' AND 1=(SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d) --",
    "1 AND LIKE('ABCDEFG',UPPER(HEX(RANDOMBLOB(50000000))))",
    "' AND substr((SELECT username FROM users),1,1)='a' --",
    "' GLOB '*",
    "' AND abs(-9223372036854775808) --",
    "%",
    "_",
    "%%",
    "a%",
    "%a%",
    "s_b",
    "\\%",
    "[a-z]*",
    "id",
    "id DESC",
    "id, username",
    "(id)",
    "username COLLATE NOCASE",
    "1 DESC",
    "random()",
    "password_hash",
    "id; --",
    "asc; DROP TABLE users",
    "asc, id",
    "username'",
    "$.username",
    "$[0]",
    "$.a' OR '1'='1",
    "{\"a\":\"' OR 1=1\"}",
    "sub*",
    "\"sub\"",
    "sub OR rexs",
    "sub AND NOT rexs",
    "NOT sub",
    "sub NEAR rexs",
    "NEAR(sub rexs, 5)",
    "username_key:sub",
    "{username_key}:sub",
    "^sub",
    "-sub",
    "sub +\"rexs\"",
    "\"\"\"",
    "(sub",
    "sub)",
    ":1",
    "?1",
    "@a",
    "$a",
    "\u{2019} OR 1=1 --",
    "\u{ff07} OR 1=1 --",
    "%27 OR 1=1 --",
    "\u{2bc}",
    "' OR 1=1 --\0",
    "x'41'",
    "0x27",
    "char(39)",
];

/// A text of the same length and make in which nothing means anything: letters for what has a meaning, the same letters,
/// digits and blanks otherwise.
fn twin(text: &str) -> String {
    // What a path or a header of a line is made of stays: those are refused for another reason.
    let harmless = |c: char| if c.is_alphanumeric() || c.is_ascii_punctuation() && c != '/' { 'q' } else { c };
    text.chars().map(harmless).collect()
}

/// Everything that is in the database: the schema whole, and the rows of each table.
fn content(world: &World) -> Vec<(String, i64)> {
    let database = world.home.open("panel.db");
    let mut statement =
        database.prepare("SELECT type || name || coalesce(sql, ''), name, type FROM sqlite_master").unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)));
    let mut content: Vec<(String, i64)> = Vec::new();
    for (whole, name, kind) in rows.unwrap().map(Result::unwrap) {
        // The index of names and how far it is come after the commit that they belong to.
        let is_counted = kind == "table" && !name.contains("search");
        let count = if is_counted { world.home.count(&name) } else { 0 };
        content.push((whole, count));
    }
    content.sort();
    assert!(content.len() > 40);
    content
}

/// The payloads that one place gets: all of them in the long form.
fn payloads(random: &mut impl rand::Rng) -> Vec<&'static str> {
    if size::is_long() {
        return SQL.to_vec();
    }
    (0..6).map(|_| SQL[random.random_range(0..SQL.len())]).collect()
}

fn is_read(of: &Operation) -> bool {
    of.method == "GET"
}

#[test]
fn sql_in_paths_and_queries_is_answered_like_a_harmless_text() {
    let world = World::new();
    let mut random = size::random("sql in queries");
    let (before, mut sent) = (content(&world), 0);
    for of in operations(&world).iter().filter(|of| is_read(of)) {
        for input in of.inputs.iter().filter(|input| input.place != Place::Field) {
            for text in payloads(&mut random) {
                let ask = put(&world, of, input, &json!(text));
                let got = world.ask(&ask);
                // A word of the list is a word of the list.
                if input.name == "sort" && got.status == 200 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    continue;
                }
                let harmless = world.ask(&put(&world, of, input, &json!(twin(text))));
                let told = format!("{} → {} {}\nand harmless: {}", ask.told(), got.status, got.text, harmless.text);
                assert_eq!((got.status, got.without_chance()), (harmless.status, harmless.without_chance()), "{told}");
                sent += 1;
            }
        }
    }
    tell(&format!("SQL in paths and queries: {sent}"));
    assert!(sent >= size::of(300, 5_000), "{sent}");
    let after = content(&world);
    let changed: Vec<_> = after.iter().filter(|one| !before.contains(one)).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "{changed:#?}");
    assert_eq!(world.home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
    world.is_well();
}

#[test]
fn sql_in_bodies_and_in_paths_of_changes_leaves_the_tables_what_they_were() {
    let world = World::new();
    let mut random = size::random("sql in bodies");
    let schema = |world: &World| content(world).into_iter().map(|(schema, _)| schema).collect::<Vec<_>>();
    let before = schema(&world);
    let grown = ["users", "api_keys", "subscribers", "transactions"].map(|table| (table, world.home.count(table)));
    let mut sent = 0;
    for of in operations(&world).iter().filter(|of| !is_read(of)) {
        for input in &of.inputs {
            for text in payloads(&mut random) {
                let ask = put(&world, of, input, &json!(text));
                let got = world.ask(&ask);
                assert!(got.status < 300 || got.status >= 400, "{}", got.text);
                sent += 1;
                let renamed = input.place == Place::Field && input.name == "name" && got.status == 200;
                if of.route.action == "packages.update" && renamed {
                    let target = format!("/api/v1/packages/{}", escaped(text));
                    world.must("PUT", &target, &json!({"name": "small"}));
                }
            }
        }
    }
    tell(&format!("SQL in bodies: {sent}"));
    assert_eq!(schema(&world), before);
    for (table, count) in grown {
        assert!(world.home.count(table) >= count, "{table}");
    }
    let admins = "SELECT count(*) FROM users WHERE role = 'admin'";
    assert_eq!(world.home.value::<i64>("panel.db", admins), 1, "nobody was made an admin");
    let bytes = "SELECT count(*) FROM users WHERE username NOT GLOB '[A-Za-z]*'";
    assert_eq!(world.home.value::<i64>("panel.db", bytes), 0);
    assert!(!world.home.path("stolen.db").exists());
    assert_eq!(world.home.value::<String>("panel.db", "PRAGMA integrity_check"), "ok");
    world.is_well();
}

/// Names that are made of what a search has a meaning for are found by exactly that, on both lists, with the index of
/// searches and without it.
#[test]
fn wildcards_and_search_syntax_find_what_is_written_and_nothing_else() {
    let world = World::new();
    let names =
        ["a%b1", "a_b1", "axb1", "a'b1", "a\"b1", "a\\b1", "a*b1", "a-b1", "a(b1", "a:b1", "a+b1", "aORb1", "a^b1"];
    for name in names {
        world.must("POST", "/api/v1/external/subscribers", &json!({"username": name, "service_id": 1}));
    }
    for part in ["%b", "_b", "'b", "\"b", "\\b", "*b", "-b", "(b", ":b", "+b", "^b"] {
        for text in [format!("{part}1"), format!("a{part}1"), part.to_owned()] {
            let wanted: Vec<_> = names.into_iter().filter(|name| name.contains(&text)).collect();
            for target in ["/api/v1/external/subscribers?username", "/api/subscribers?search"] {
                let got = world.get(&format!("{target}={}", escaped(&text)));
                let rows = got.body["data"].as_array().or(got.body["data"]["items"].as_array());
                let mut found: Vec<_> = rows.unwrap_or_else(|| panic!("{}", got.text)).iter().collect();
                found.sort_by_key(|row| row["id"].as_i64());
                let found: Vec<_> = found.iter().filter_map(|row| row["username"].as_str()).collect();
                assert_eq!(found, wanted, "{target}={text}: {}", got.text);
            }
        }
    }
    for everything in ["%", "_", "*", "a%1", "a_b", "a*", "\"", "b1 OR sub", "username_key:sub"] {
        let got = world.get(&format!("/api/v1/external/subscribers?username={}", escaped(everything)));
        let wanted = names.iter().filter(|name| name.contains(everything)).count();
        assert_eq!(got.body["pagination"]["total"], wanted, "{everything}: {}", got.text);
    }
    world.is_well();
}

/// The same texts against a server that has the hole: the comparison with a harmless one sees it.
#[test]
fn these_texts_find_a_hole_where_there_is_one() {
    let mut wire = Wire::to(hole::open());
    let mut ask = |text: &str| {
        let got = wire.exchange(&Ask::new("GET", format!("/people?name={}", escaped(text))));
        (got.status, got.text)
    };
    let seen: Vec<_> = SQL.iter().filter(|text| ask(text) != ask(&twin(text))).collect();
    assert!(seen.len() > 15 && seen.contains(&&"'") && seen.contains(&&"' OR 1=1 --"), "{seen:?}");
    let all: Value = serde_json::from_str(&ask("' OR '1'='1").1).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(3));
}

/// What is put into a place is what is meant, also where it is escaped on the way.
#[test]
fn a_twin_has_the_shape_of_its_text() {
    assert_eq!(twin("' OR 1=1 --/\0"), "q qq qqq qq/\0");
    let places = [Place::Path, Place::Query, Place::Field];
    let world = World::new();
    let all = operations(&world);
    let inputs: Vec<&Input> = all.iter().flat_map(|of| &of.inputs).collect();
    assert!(places.iter().all(|place| inputs.iter().any(|input| input.place == *place)));
}
