//! Secrets are in the one answer that shows them and nowhere else: not in what is served, listed, logged, exported, backed up
//! or seen from outside the process.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http;
use crate::size;
use crate::traced::limited;
use crate::work::{Credentials, Place, work};

/// Everything that can be read with every right, but for the answers that made a secret.
const SERVED: [(&str, &[&str]); 5] = [
    ("", &["/openapi.json", "/docs", "/setup/gone", "/nothing-here"]),
    (
        "external",
        &[
            "/api/v1/external/subscribers",
            "/api/v1/external/subscribers/1",
            "/api/v1/external/nas",
            "/api/v1/external/services",
            "/api/v1/external/transactions",
            "/api/v1/external/system/stats",
        ],
    ),
    (
        "panel",
        &[
            "/api/v1/users",
            "/api/v1/users/admin",
            "/api/v1/users/admin/api-keys",
            "/api/v1/auth/me",
            "/api/v1/resellers",
            "/api/v1/packages",
        ],
    ),
    ("billing", &["/api/v1/billing/accounts", "/api/v1/billing/whoami", "/api/health"]),
    (
        "admin",
        &[
            "/api/auth/me",
            "/api/auth/sessions",
            "/api/api-keys?limit=100",
            "/api/api-keys/1",
            "/api/api-keys/1/logs",
            "/api/api-keys/stats",
            "/api/services",
            "/api/nas?limit=100",
            "/api/subscribers?limit=100",
            "/api/audit?limit=500",
        ],
    ),
];

/// And with the command line.
const COMMANDS: [&[&str]; 13] = [
    &["key", "list"],
    &["key", "show", "1"],
    &["key", "logs", "1"],
    &["key", "suggest", "1"],
    &["user", "list"],
    &["nas", "list"],
    &["subscriber", "list"],
    &["subscriber", "export", "-"],
    &["service", "list"],
    &["config", "show"],
    &["doctor"],
    &["backup", "list"],
    &["openapi"],
];

/// What another user of the machine, or a dump of what the system knows, can see of the process.
fn seen_from_outside(process: &Path) -> Vec<(String, Vec<u8>)> {
    let names = ["cmdline", "environ", "comm", "status", "stat", "maps"];
    names.map(|name| (format!("/proc/PID/{name}"), std::fs::read(process.join(name)).unwrap())).into()
}

/// Killed as a crash would kill it, where core files are allowed.
#[test]
fn a_crash_leaves_no_memory_behind() {
    let home = Home::with_database();
    let mut server = home.start(limited(&home, "-S -c \"$(ulimit -H -c)\""));
    let process = format!("/proc/{}", server.pid().as_raw_nonzero());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"], "{core}");
    let filter = std::fs::read_to_string(format!("{process}/coredump_filter")).unwrap();
    assert_eq!(filter.trim(), "00000000");
    server.signal(rustix::process::Signal::ABORT);
    assert_eq!(server.wait(), None);
    let left: Vec<String> =
        home.contents().into_iter().map(|(name, ..)| name).filter(|name| name.contains("core")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_secret_is_in_the_one_answer_that_shows_it_and_nowhere_else() {
    let home = Home::with_database();
    let mut credentials = Credentials::make(&home);
    let settings = [&crate::crash::NO_LIMITS[..3], &[("PANEL_METRICS__LISTEN", "127.0.0.1:0")]].concat();
    let mut server = home.serve_with(&settings);
    credentials.log_in(&server);
    for body in [
        json!({"username": "ada", "service_id": 1, "password": "ada-long-secret-1"}),
        json!({"username": "bob", "service_id": 1}),
    ] {
        let headers =
            [credentials.for_surface("external"), vec![("Content-Type".to_owned(), "application/json".to_owned())]]
                .concat();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(server.send("POST", SUBSCRIBERS, &headers, &body.to_string()).status, 201);
    }
    // Refused ones too: a password typed where the name belongs, wrong keys of every kind, broken bodies.
    let typed = json!({"username": "hunter2-is-my-password", "password": "wrong-secret-word-5"}).to_string();
    for path in ["/api/auth/login/json", "/api/v1/auth/login"] {
        assert_eq!(server.send("POST", path, &[("Content-Type", "application/json")], &typed).status, 401);
    }
    for (name, value) in [
        ("X-API-Key", "pk_live_0123456789abcdef0123456789abcdef"),
        ("Authorization", "Bearer wsp_AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQrrSSttUUv"),
        (
            "Authorization",
            "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwic2lkIjoic2lkLW9mLW5vYm9keSJ9.signature-of-nobody",
        ),
    ] {
        assert_eq!(server.send("GET", SUBSCRIBERS, &[(name, value)], "").status, 401, "{value}");
    }
    work(server.address, &credentials, 0, &mut size::random("secrets"), |_| {
        let database = home.open("panel.db");
        for place in [Place::Key, Place::User, Place::Nas] {
            let (table, column) = place.table_and_column();
            let made = format!("SELECT count(*) FROM {table} WHERE {column} GLOB 'r0w*'");
            while database.query_row(&made, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
                std::thread::yield_now();
            }
        }
    });
    home.ok(["backup", "copy.db"]);

    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for (surface, paths) in SERVED {
        let headers = credentials.for_surface(surface);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for path in paths {
            // Past the helper that would note what comes as known.
            let answer = raw_http::send(server.address, "GET", path, &headers, "");
            let expected = if path.contains("gone") || path.contains("nothing") { 404 } else { 200 };
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            places.push((format!("GET {path}"), (answer.head + &answer.body).into_bytes()));
        }
    }
    let said = server.said();
    let (_, metrics) = said.split_once("metrics on ").unwrap();
    let metrics: SocketAddr = metrics.split_whitespace().next().unwrap().trim_end_matches('"').parse().unwrap();
    for path in ["/metrics", "/health"] {
        places.push((format!("GET {path}"), raw_http::send(metrics, "GET", path, &[], "").body.into_bytes()));
    }
    for command in COMMANDS {
        let output = home.command(command).output().unwrap();
        // The doctor has something to say of a panel without backups.
        assert!(output.status.success() || command == ["doctor"], "{command:?}: {output:?}");
        places.push((command.join(" "), [output.stdout, output.stderr].concat()));
    }
    places.extend(seen_from_outside(Path::new(&format!("/proc/{}", server.pid().as_raw_nonzero()))));
    places.push(("the backup".to_owned(), std::fs::read(home.path("copy.db")).unwrap()));
    assert_eq!(server.stop(), Some(0));
    places.push((
        "the log".to_owned(),
        said.lines().filter(|line| !line.contains("/setup/")).collect::<String>().into_bytes(),
    ));

    // The positive control: any of these would have been found.
    for surface in ["external", "panel", "billing", "admin"] {
        let (_, credential) = credentials.for_surface(surface).pop().unwrap();
        let found = home.secrets.found_in([("planted".to_owned(), credential.as_bytes())]);
        assert!(!found.is_empty(), "the credential of {surface} is not looked for");
    }
    let bytes: usize = places.iter().map(|(_, bytes)| bytes.len()).sum();
    let found = home.secrets.found_in(places.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())));
    assert!(found.is_empty(), "{}", found.join("\n"));
    tell!("secrets: none in {} places of {} KiB", places.len(), bytes / 1024);
}
