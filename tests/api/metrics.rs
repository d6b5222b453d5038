//! The listener for monitoring: what its page says, what it never says, and that it answers whatever else happens.
#![expect(clippy::float_arithmetic, reason = "the value of a sample is a float")]

mod page;

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use panel::domain::routes;
use serde_json::{Value, json};

use crate::support::{HEALTH, Key, NewKey, PATIENCE, Plan, Request, SUBSCRIBERS, TestApp};
use page::{Page, series};

const REQUESTS: &str = "panel_requests_total";
const REFUSALS: &str = "panel_refusals_total";
const TIMES: &str = "panel_request_duration_seconds_count";

/// A little more than a page is good for.
const NEXT_PAGE: Duration = Duration::from_millis(1_050);

async fn spawn() -> TestApp {
    Plan::new().with_metrics().spawn().await
}

async fn ask(app: &TestApp, method: &str, path: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    client.request(method, format!("http://{}{path}", app.metrics.unwrap())).send().await.unwrap()
}

async fn scrape(app: &TestApp) -> Page {
    let answer = ask(app, "GET", "/metrics").await;
    assert_eq!(answer.status(), 200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.headers()["content-type"], kind);
    let text = answer.text().await.unwrap();
    Page::parse(&text).unwrap_or_else(|problem| panic!("{problem}, in\n{text}"))
}

/// A page that is younger than everything before this.
async fn scrape_anew(app: &TestApp) -> Page {
    tokio::time::sleep(NEXT_PAGE).await;
    scrape(app).await
}

async fn health(app: &TestApp) -> (u16, Value) {
    let answer = ask(app, "GET", "/health").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[derive(Debug, Clone, Copy)]
enum Readers {
    Fast,
    Slow,
}

/// Readers of the database that nobody else gets until they are let go.
struct Held {
    done: Arc<Barrier>,
    holders: Vec<JoinHandle<()>>,
}

impl Held {
    fn take(app: &TestApp, readers: Readers, count: usize) -> Self {
        let (held, done) = (Arc::new(Barrier::new(count + 1)), Arc::new(Barrier::new(count + 1)));
        let holder = |_| {
            let (panel, held, done) = (Arc::clone(&app.panel), Arc::clone(&held), Arc::clone(&done));
            std::thread::spawn(move || {
                let wait = || {
                    held.wait();
                    done.wait();
                    Ok(())
                };
                let hold = match readers {
                    Readers::Fast => panel.db.read(|_| wait()),
                    Readers::Slow => panel.db.read_slowly(|_| wait()),
                };
                hold.unwrap();
            })
        };
        let holders = (0..count).map(holder).collect();
        held.wait();
        Self { done, holders }
    }

    fn let_go(self) {
        self.done.wait();
        for holder in self.holders {
            holder.join().unwrap();
        }
    }
}

#[tokio::test]
async fn every_family_is_there_with_its_type_and_its_help() {
    let page = scrape(&spawn().await).await;
    let told: Vec<_> = page.families.iter().map(|(name, family)| (name.as_str(), family.kind.as_str())).collect();
    let expected = [
        ("panel_build", "info"),
        ("panel_database_bytes", "gauge"),
        ("panel_keys", "gauge"),
        ("panel_refusals", "counter"),
        ("panel_request_duration_seconds", "histogram"),
        ("panel_request_log_bytes", "gauge"),
        ("panel_request_log_dropped", "counter"),
        ("panel_requests", "counter"),
        ("panel_scrape_errors", "counter"),
        ("panel_sessions", "gauge"),
        ("panel_subscribers", "gauge"),
        ("panel_up", "gauge"),
        ("panel_wal_bytes", "gauge"),
        ("panel_writer_batch_size", "histogram"),
        ("panel_writer_commits", "counter"),
        ("panel_writer_queue", "gauge"),
        ("panel_writer_transaction_seconds_max", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
    ];
    assert_eq!(told, expected);
    for (name, family) in &page.families {
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")));
        assert_eq!(family.unit.as_deref(), unit, "{name}");
        assert!(family.help.len() > 15, "{name}: {}", family.help);
    }
}

#[tokio::test]
async fn what_the_system_says_of_the_process_and_the_files_is_true() {
    let app = Plan::new().with_metrics().at("2026-03-20T12:00:00Z").spawn().await;
    let page = scrape(&app).await;
    assert_eq!(page.value("panel_up", &[]), 1.0);
    assert_eq!(page.value("panel_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(page.value("process_start_time_seconds", &[]), app.now().millis() as f64 / 1000.0);
    assert!(page.value("process_resident_memory_bytes", &[]) > 1e6);
    assert!(page.value("process_open_fds", &[]) > 5.0);
    let file =
        |name: &str| app.files().iter().find(|(known, _)| known == name).map_or(0.0, |(_, bytes)| bytes.len() as f64);
    assert_eq!(page.value("panel_database_bytes", &[]), file("panel.db"));
    assert!(page.value("panel_wal_bytes", &[]) > 0.0 && page.value("panel_wal_bytes", &[]) <= file("panel.db-wal"));
    let logs = file("panel-logs.db") + file("panel-logs.db-wal");
    assert!(page.value("panel_request_log_bytes", &[]) > 0.0 && page.value("panel_request_log_bytes", &[]) <= logs);
}

#[tokio::test]
async fn a_request_raises_exactly_its_own_counter() {
    let app = spawn().await;
    let key = app.external_key("admin", "write");
    let mut earlier = scrape(&app).await;
    let list = "/api/v1/external/subscribers";
    let one = "/api/v1/external/subscribers/{id}";
    let health = "/api/v1/external/system/health";
    let create = json!({"username": "ada", "service_id": 1});
    for (request, surface, route, method, status) in [
        (Request::new("GET", SUBSCRIBERS).key(&key), "external", list, "GET", "200"),
        (Request::new("POST", SUBSCRIBERS).key(&key).json(&create), "external", list, "POST", "201"),
        (Request::new("GET", "/api/v1/external/subscribers/777").key(&key), "external", one, "GET", "404"),
        (Request::new("HEAD", HEALTH), "external", health, "HEAD", "200"),
        (Request::new("GET", "/api/v1/users"), "panel", "/api/v1/users", "GET", "401"),
        (Request::new("GET", "/setup/x"), "admin", "/setup/{token}", "GET", "404"),
    ] {
        let told = request.to_string();
        app.call(request).await;
        let page = scrape_anew(&app).await;
        let labels = [("surface", surface), ("route", route)];
        let counted = [labels.as_slice(), &[("method", method), ("status", status)]].concat();
        let expected = [(series(REQUESTS, &counted), 1.0), (series(TIMES, &labels), 1.0)];
        assert_eq!(page.since(&earlier, &[REQUESTS, TIMES]), expected.into(), "{told}");
        earlier = page;
    }
}

#[tokio::test]
async fn a_request_is_counted_with_the_time_it_took() {
    let app = spawn().await;
    let key = app.external_key("admin", "write");
    let earlier = scrape(&app).await;
    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = Request::new("POST", SUBSCRIBERS).key(&key).json(&json!({"username": "ada", "service_id": 1}));
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        beside.execute_batch("ROLLBACK").unwrap();
    };
    let (answer, ()) = tokio::join!(app.call(request), unlock);
    assert_eq!(answer.status, 201);
    let page = scrape_anew(&app).await;
    let labels = [("surface", "external"), ("route", "/api/v1/external/subscribers")];
    assert_eq!(earlier.find("panel_request_duration_seconds_sum", &labels), None, "nobody had asked");
    let sum = page.value("panel_request_duration_seconds_sum", &labels);
    assert!((0.3..20.0).contains(&sum), "{sum} s");
    let upto = |le: &str| page.value("panel_request_duration_seconds_bucket", &[&[("le", le)][..], &labels].concat());
    assert_eq!((upto("0.00005"), upto("0.25"), upto("+Inf")), (0.0, 0.0, 1.0));
}

/// Whatever is asked, the page does not grow: scanners would fill the monitoring's disk.
#[tokio::test]
async fn what_is_no_route_adds_no_label() {
    let app = spawn().await;
    let key = app.external_key("admin", "read");
    let mut asked = 0.0;
    for at in 0..40 {
        for prefix in ["", "/api", "/api/v1", "/api/v1/external", "/api/v1/billing", "/api/v1/domains"] {
            let method = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW", "get"][at % 9];
            let request = Request::new(method, &format!("{prefix}/wp-{at}/{}?q={at}", "x".repeat(at)));
            app.call(if at % 2 == 0 { request } else { request.key(&key) }).await;
            asked += 1.0;
        }
    }
    assert_eq!(app.call(Request::new("DELETE", SUBSCRIBERS).key(&key)).await.status, 405);
    let page = scrape(&app).await;
    assert_eq!(page.all(REQUESTS).values().sum::<f64>(), asked + 1.0);
    let routes: BTreeSet<_> = routes::rows().map(|route| route.path.to_owned()).collect();
    let told = page.values_of("route");
    assert!(told.is_subset(&routes), "{told:?}");
    assert_eq!(told, ["(unknown)", "/api/v1/domains"].map(str::to_owned).into());
    let methods = ["(other)", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"].map(str::to_owned);
    assert_eq!(page.values_of("method"), methods.into());
    let wrong = [("surface", "external"), ("route", "(unknown)"), ("method", "DELETE"), ("status", "405")];
    assert_eq!(page.value(REQUESTS, &wrong), 1.0);
}

#[tokio::test]
async fn a_refusal_is_counted_under_its_surface_and_its_first_gate() {
    let plan = Plan::new().with_metrics().at("2026-03-20T12:00:00Z");
    let app = plan.config(|config| config.limits.failures_per_minute = 4).spawn().await;
    let read = app.external_key("admin", "read");
    let write = app.external_key("admin", "write");
    let elsewhere = app.key_with("admin", "read", NewKey { ips: &["10.0.0.0/8"], ..NewKey::default() });
    let expired = app.key_with("admin", "read", NewKey { expires: Some("2026-03-20T12:30:00Z"), ..NewKey::default() });
    let slow = app.key_with("admin", "read", NewKey { rate: Some(1), ..NewKey::default() });
    let revoked = app.external_key("admin", "read");
    app.revoke(&revoked);
    app.move_to("2026-03-20T13:00:00Z");
    let made = app.post(SUBSCRIBERS, &write, json!({"username": "ada", "service_id": 1})).await;
    let one = format!("{SUBSCRIBERS}/{}", made.id());
    assert_eq!(app.get(SUBSCRIBERS, &slow).await.status, 200);
    let earlier = scrape(&app).await;
    assert!(earlier.all(REFUSALS).values().all(|count| *count == 0.0));

    for key in [&Key::none(), &Key::of("pk_live_unknown"), &elsewhere, &expired, &slow, &revoked] {
        assert!(app.get(SUBSCRIBERS, key).await.status >= 401);
    }
    assert_eq!(app.post(SUBSCRIBERS, &read, json!({})).await.status, 403);
    // Two gates fail, the first one counts.
    assert_eq!(app.post(SUBSCRIBERS, &elsewhere, json!({})).await.gates(), ["ip", "scope"]);
    assert_eq!(app.call(Request::new("PUT", &one).key(&write).json(&json!({"balance": 5}))).await.status, 403);
    assert_eq!(app.call(Request::new("GET", "/api/v1/users")).await.status, 401);
    // Refused, but not by a gate.
    assert_eq!(app.post(SUBSCRIBERS, &write, json!({})).await.status, 400);
    let strangers =
        Request::new("POST", "/api/auth/login").json(&json!({"username": "admin", "password": "wrong-wrong"}));
    assert_eq!(app.call(strangers).await.status, 401);

    let page = scrape_anew(&app).await;
    let row = |surface, gate| {
        let times = if gate == "ip" { 2.0 } else { 1.0 };
        (series(REFUSALS, &[("surface", surface), ("gate", gate)]), times)
    };
    let external = ["credential", "key", "ip", "expired", "rate", "revoked", "scope", "field"];
    let mut expected: Vec<_> = external.map(|gate| row("external", gate)).into();
    expected.extend([row("panel", "credential"), row("admin", "credential")]);
    assert_eq!(page.since(&earlier, &[REFUSALS]), expected.into_iter().collect());
}

#[tokio::test]
async fn nothing_of_what_callers_send_is_on_the_page() {
    let app = spawn().await;
    app.reseller("rexington");
    let key = app.external_key("rexington", "delete");
    let body = json!({"username": "adalovelace", "service_id": 1, "password": "hunter2-hunter2", "note": "notable"});
    let create = Request::new("POST", SUBSCRIBERS).key(&key).json(&body);
    app.call(create.header("x-request-id", "request-id-of-mine").header("idempotency-key", "idempotent-me")).await;
    app.get(&format!("{SUBSCRIBERS}/by-username/adalovelace?search=querytext"), &key).await;
    app.get("/api/v1/users/rexington", &Key::none()).await;
    app.get("/api/v1/external/adalovelace", &Key::of("pk_live_0123456789abcdef0123456789abcdef")).await;
    let login = json!({"username": "somebodyelse", "password": "letmein-letmein"});
    app.call(Request::new("POST", "/api/auth/login").json(&login).header("user-agent", "mozillalike")).await;
    app.call(Request::new("SPELLING", "/etc/passwd")).await;
    app.revoke(&key);
    let page = scrape(&app).await.text.to_lowercase();
    for secret in [
        key.secret(),
        "pk_live",
        "rexington",
        "adalovelace",
        "hunter2",
        "notable",
        "request-id-of-mine",
        "idempotent-me",
        "querytext",
        "0123456789abcdef",
        "somebodyelse",
        "letmein",
        "mozillalike",
        "spelling",
        "passwd",
        "127.0.0.1",
        "panel.db",
    ] {
        assert!(!page.contains(secret), "{secret} is in\n{page}");
    }
}

#[tokio::test]
async fn the_writers_figures_move_with_its_work() {
    let app = Plan::new().with_metrics().without_jobs().spawn().await;
    let key = app.external_key("admin", "write");
    let before = scrape(&app).await;
    assert_eq!(before.value("panel_writer_queue", &[]), 0.0);
    assert_eq!(before.find("panel_writer_transaction_seconds_max", &[("name", "subscribers.create")]), None);

    let beside = app.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let create = |at: usize| {
        let body = json!({"username": format!("ada{at}"), "service_id": 1});
        app.call(Request::new("POST", SUBSCRIBERS).key(&key).json(&body))
    };
    let jobs = app.panel.db.writer_figures().jobs;
    let others = async {
        // The first is with the writer, which waits for the lock.
        app.eventually("taken up", PATIENCE, || app.panel.db.writer_figures().jobs > jobs).await;
        futures_util::future::join_all((1..9).map(create)).await
    };
    let watch = async {
        app.eventually("queued", PATIENCE, || app.panel.db.writer_figures().waiting == 8).await;
        let held = scrape_anew(&app).await;
        beside.execute_batch("ROLLBACK").unwrap();
        held
    };
    let (first, answers, held) = tokio::join!(create(0), others, watch);
    assert!(answers.iter().chain([&first]).all(|answer| answer.status == 201));
    assert_eq!(held.value("panel_writer_queue", &[]), 8.0);

    let after = scrape_anew(&app).await;
    let moved = |name: &str| after.value(name, &[]) - before.value(name, &[]);
    assert_eq!(after.value("panel_writer_queue", &[]), 0.0);
    assert_eq!(moved("panel_writer_batch_size_sum"), 9.0);
    assert_eq!(moved("panel_writer_batch_size_count"), 2.0);
    assert_eq!(moved("panel_writer_commits_total"), 2.0);
    let upto = |page: &Page, le| page.value("panel_writer_batch_size_bucket", &[("le", le)]);
    let grown = |le| upto(&after, le) - upto(&before, le);
    assert_eq!(["1.0", "4.0", "8.0", "+Inf"].map(grown), [1.0, 1.0, 2.0, 2.0]);
    for name in ["subscribers.create", "(commit)"] {
        let longest = after.value("panel_writer_transaction_seconds_max", &[("name", name)]);
        assert!((0.000_001..5.0).contains(&longest), "{name}: {longest} s");
    }
}

#[tokio::test]
async fn a_long_write_is_told_by_its_name_whether_it_succeeds_or_not() {
    let app = Plan::new().with_metrics().without_jobs().spawn().await;
    let pause = || std::thread::park_timeout(Duration::from_millis(80));
    app.write(move |tx| {
        tx.unaudited("an operator's own reason");
        pause();
        Ok(())
    })
    .unwrap();
    app.write(move |_| {
        pause();
        Ok(())
    })
    .unwrap();
    app.write(move |tx| {
        tx.name("one.refused");
        tx.unaudited("a later name does not count");
        pause();
        Err::<(), _>(panel::domain::error::AppError::Malformed("no".to_owned()))
    })
    .unwrap_err();
    let page = scrape(&app).await;
    for name in ["an operator's own reason", "(unnamed)", "one.refused"] {
        let longest = page.value("panel_writer_transaction_seconds_max", &[("name", name)]);
        assert!((0.08..5.0).contains(&longest), "{name}: {longest} s");
    }
    assert!(!page.text.contains("a later name"));
}

fn keys_of(page: &Page, style: &str) -> [f64; 4] {
    ["active", "disabled", "expired", "revoked"]
        .map(|state| page.value("panel_keys", &[("style", style), ("state", state)]))
}

#[tokio::test]
async fn keys_are_counted_by_style_and_state_and_follow_a_revoke() {
    let app = Plan::new().with_metrics().at("2026-03-20T12:00:00Z").spawn().await;
    let keys: Vec<_> = (0..6).map(|_| app.external_key("admin", "read")).collect();
    app.panel_key("admin", "all");
    app.change("UPDATE api_keys SET enabled = 0 WHERE id IN (?1, ?2)", [keys[0].id, keys[1].id]);
    // Disabled as well: counted once.
    app.change(
        "UPDATE api_keys SET expires_at = ?1 WHERE id IN (?2, ?3)",
        [app.now().millis(), keys[1].id, keys[2].id],
    );
    app.change("UPDATE api_keys SET expires_at = ?1 WHERE id = ?2", [app.now().millis() + 1, keys[3].id]);
    let page = scrape(&app).await;
    assert_eq!(keys_of(&page, "external"), [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(keys_of(&page, "panel"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(keys_of(&page, "billing"), [0.0; 4]);

    app.revoke(&keys[3]);
    app.revoke(&keys[1]);
    let page = scrape_anew(&app).await;
    assert_eq!(keys_of(&page, "external"), [2.0, 1.0, 1.0, 2.0]);
}

#[tokio::test]
async fn sessions_and_subscribers_are_counted_as_they_are_now() {
    let app = Plan::new().with_metrics().at("2026-03-20T12:00:00Z").spawn().await;
    let key = app.external_key("admin", "write");
    for (name, expiry) in
        [("a", "2026-03-20"), ("b", "2026-03-19"), ("c", "2026-12-31"), ("d", "2026-12-31"), ("e", "2026-12-31")]
    {
        let body = json!({"username": name, "service_id": 1, "expiry_date": expiry});
        assert_eq!(app.post(SUBSCRIBERS, &key, body).await.status, 201);
    }
    assert_eq!(app.call(Request::new("POST", &format!("{SUBSCRIBERS}/4/suspend")).key(&key)).await.status, 200);
    app.change("UPDATE counters SET status = 4 WHERE status = 2", []);
    assert_eq!(app.call(Request::new("POST", &format!("{SUBSCRIBERS}/5/suspend")).key(&key)).await.status, 200);
    let session = |token: u8, expires: i64, revoked: Option<i64>| {
        app.change(
            "INSERT INTO sessions (user_id, audience, token_hash, created_at, last_used_at, expires_at, revoked_at)
             VALUES (1, 'admin', ?1, 0, 0, ?2, ?3)",
            (vec![token; 32], expires, revoked),
        );
    };
    let now = app.now().millis();
    session(1, now + 1, None);
    session(2, now + 60_000, None);
    session(3, now + 60_000, Some(1));
    session(4, now, None);
    let page = scrape(&app).await;
    assert_eq!(page.value("panel_sessions", &[]), 2.0);
    let by = ["active", "inactive", "expired", "stopped"]
        .map(|status| page.value("panel_subscribers", &[("status", status)]));
    assert_eq!(by, [2.0, 1.0, 1.0, 1.0]);
}

#[tokio::test]
async fn a_figure_that_cannot_be_read_is_left_out_and_counted_and_the_rest_is_there() {
    let app = Plan::new().with_metrics().without_jobs().spawn().await;
    let whole = scrape(&app).await;
    let errors = |page: &Page, family| page.value("panel_scrape_errors_total", &[("family", family)]);
    app.change("ALTER TABLE sessions RENAME TO elsewhere", []);
    for times in [1.0, 2.0] {
        let page = scrape_anew(&app).await;
        let missing: Vec<_> = whole.families.keys().filter(|name| !page.families.contains_key(*name)).collect();
        assert_eq!(missing, ["panel_sessions"]);
        assert_eq!((errors(&page, "panel_sessions"), errors(&page, "panel_keys")), (times, 0.0));
    }
    app.change("ALTER TABLE elsewhere RENAME TO sessions", []);
    let page = scrape_anew(&app).await;
    assert_eq!((page.value("panel_sessions", &[]), errors(&page, "panel_sessions")), (0.0, 2.0));
}

/// Searches and exports have all of the readers that a page would need.
#[tokio::test]
async fn a_page_does_without_the_database_where_it_gets_no_reader() {
    let app = spawn().await;
    let whole = scrape(&app).await;
    let held = Held::take(&app, Readers::Slow, panel::app::SLOW_READS as usize + 1);
    let page = scrape_anew(&app).await;
    held.let_go();
    let missing: Vec<_> = whole.families.keys().filter(|name| !page.families.contains_key(*name)).collect();
    assert_eq!(missing, ["panel_keys", "panel_sessions", "panel_subscribers"]);
    for family in missing {
        assert_eq!(page.value("panel_scrape_errors_total", &[("family", family)]), 1.0);
    }
    assert_eq!(page.value("panel_up", &[]), 1.0);
    assert!(scrape_anew(&app).await.families.contains_key("panel_keys"));
}

#[tokio::test]
async fn health_tells_an_unusable_database_and_the_page_is_still_served() {
    let app = Plan::new().with_metrics().without_jobs().spawn().await;
    let version = env!("CARGO_PKG_VERSION");
    let good =
        json!({"status": "healthy", "database": "connected", "version": version, "last_verified_backup_age": null});
    assert_eq!(health(&app).await, (200, good));
    assert_eq!(scrape(&app).await.value("panel_up", &[]), 1.0);

    app.change("DELETE FROM meta WHERE name = 'key_check'", []);
    let bad =
        json!({"status": "unhealthy", "database": "unavailable", "version": version, "last_verified_backup_age": null});
    assert_eq!(health(&app).await, (503, bad));
    let page = scrape_anew(&app).await;
    assert_eq!(page.value("panel_up", &[]), 0.0);
    assert_eq!(page.value("panel_sessions", &[]), 0.0);
}

#[tokio::test]
async fn a_page_is_made_once_a_second_however_many_ask() {
    let app = spawn().await;
    let key = app.external_key("admin", "read");
    let began = Instant::now();
    let first = scrape(&app).await;
    app.get(SUBSCRIBERS, &key).await;
    let asked = (0..30).map(|_| scrape(&app));
    let pages = futures_util::future::join_all(asked).await;
    if began.elapsed() < Duration::from_secs(1) {
        assert!(pages.iter().all(|page| page.text == first.text));
    }
    assert!(first.text != scrape_anew(&app).await.text);
}

#[tokio::test]
async fn there_are_two_pages_and_they_can_only_be_read() {
    let app = spawn().await;
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/api/health", 200),
        ("GET", "/metrics?name[]=panel_up", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/health", 405),
        ("OPTIONS", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/api/auth/login", 404),
        ("GET", "/api/v1/external/subscribers", 404),
        ("GET", "/api/v1/external/system/health", 404),
    ] {
        let answer = ask(&app, method, path).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let allow = answer.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(allow.as_deref(), (status == 405).then_some("GET, HEAD"), "{method} {path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers().get("server").is_none());
        let text = answer.text().await.unwrap();
        assert_eq!(text.is_empty(), method == "HEAD", "{method} {path}: {text}");
    }
    // And the other way round.
    assert_eq!(app.call(Request::new("GET", "/metrics")).await.status, 404);
    assert_eq!(app.call(Request::new("GET", "/health")).await.status, 404);
}

#[tokio::test]
async fn it_answers_while_every_worker_waits() {
    let app = spawn().await;
    let key = app.external_key("admin", "read");
    scrape(&app).await;
    // All readers of the workers, so that each request makes its worker wait for one.
    let held = Held::take(&app, Readers::Fast, 2);
    let waiting = async {
        let began = Instant::now();
        let calls = (0..6).map(|_| app.get(SUBSCRIBERS, &key));
        (futures_util::future::join_all(calls).await, began.elapsed())
    };
    let watching = async {
        tokio::time::sleep(NEXT_PAGE).await;
        let began = Instant::now();
        assert_eq!(ask(&app, "GET", "/x").await.status(), 404);
        let at_once = began.elapsed();
        let page = scrape(&app).await;
        (page, at_once, began.elapsed())
    };
    let ((answers, busy), (page, at_once, took)) = tokio::join!(waiting, watching);
    held.let_go();
    assert!(answers.iter().all(|answer| answer.status == 503), "the workers were not kept waiting");
    assert!(took < Duration::from_secs(4) && took < busy, "{took:?} while the workers waited {busy:?}");
    assert!(at_once < Duration::from_millis(500), "{at_once:?}");
    assert_eq!(page.value("panel_keys", &[("style", "external"), ("state", "active")]), 1.0);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up_and_a_body_is_not_waited_for() {
    use std::io::{Read, Write};
    let app = spawn().await;
    let open = || {
        let stream = std::net::TcpStream::connect(app.metrics.unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut slow = open();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").unwrap();
    let began = Instant::now();
    let mut text = String::new();
    for endless in ["Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "Content-Length: 9\r\n\r\nx"] {
        let mut stream = open();
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{endless}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let took = began.elapsed();
        assert!(text.starts_with("HTTP/1.1 200") && took < Duration::from_secs(4), "{endless:?}: {text} {took:?}");
    }
    slow.read_to_string(&mut text).unwrap();
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
}

#[tokio::test]
async fn without_an_address_there_is_no_listener() {
    assert_eq!(TestApp::spawn().await.metrics, None);
}
