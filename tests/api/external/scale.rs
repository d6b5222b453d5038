//! A provider with very many subscribers: what a call costs does not depend on how many there are, nor on how deep in
//! the list it looks. `PANEL_SCALE_ROWS` says how many (200 000); the figures are on stderr.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::calls::STATS;
use crate::support::{Answer, Key, Plan, SUBSCRIBERS, TestApp};

const TURNS: usize = 21;
/// What a busy machine may add to a call; walking over the rows costs more.
const NOISE: Duration = Duration::from_millis(2);

fn rows() -> i64 {
    std::env::var("PANEL_SCALE_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000)
}

/// Subscribers 1 to `rows`, some of them of the reseller, with their counters and their search index.
fn fill(connection: &Connection, rows: i64, reseller: i64) {
    let numbers = format!(
        "BEGIN;
         INSERT INTO subscribers (uid, owner_id, username, username_key, password_sealed, created_values, service_id,
                                  status, expiry_date, created_at, updated_at)
         WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {rows})
         SELECT zeroblob(16), iif(n % 4 = 0, {reseller}, NULL), printf('user-%07d@isp.example', n),
                printf('user-%07d@isp.example', n), x'00', '{{}}', 1, iif(n % 9 = 0, 2, 1), 20500 + n % 400, n, n
         FROM number;
         INSERT INTO counters
         SELECT coalesce(owner_id, 0), status, expiry_date, count(*) FROM subscribers GROUP BY 1, 2, 3
         UNION ALL SELECT -1, status, expiry_date, count(*) FROM subscribers GROUP BY 1, 2, 3;
         INSERT INTO subscriber_search (rowid, username_key) SELECT id, username_key FROM subscribers;
         INSERT INTO search_watermark VALUES ('subscribers', {rows});
         COMMIT;"
    );
    connection.execute_batch(&numbers).unwrap();
}

async fn provider(rows: i64) -> (TestApp, Key, Key) {
    let app = Plan::new().at("2026-03-20T12:00:00Z").without_jobs().spawn().await;
    let reseller = app.reseller("rex");
    fill(&app.beside(), rows, reseller);
    let keys = ["admin", "rex"].map(|user| app.external_key(user, "read"));
    let [house, rex] = keys;
    (app, house, rex)
}

async fn median(app: &TestApp, key: &Key, target: &str) -> (Duration, Answer) {
    median_of(TURNS, app, key, target).await
}

/// The median of some calls, after one that warms up.
async fn median_of(turns: usize, app: &TestApp, key: &Key, target: &str) -> (Duration, Answer) {
    let answer = app.get(target, key).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    let mut times = Vec::with_capacity(turns);
    for _ in 0..turns {
        let began = Instant::now();
        app.get(target, key).await;
        times.push(began.elapsed());
    }
    times.sort();
    (times[turns / 2], answer)
}

#[tokio::test]
async fn a_deep_page_by_cursor_and_the_figures_cost_what_they_cost_with_few() {
    let all = rows();
    let began = Instant::now();
    let (small, of_small, _) = provider(10_000).await;
    let (app, house, rex) = provider(all).await;
    eprintln!("{all} subscribers in {:?}", began.elapsed());
    // Page 10 000 of 20 rows, or the last pages where there are fewer rows.
    let deep = (9_999 * 20).min(all - 100);
    for (key, whose, step) in [(&house, "house", 1), (&rex, "reseller", 4)] {
        let deep = deep / step * step;
        let (first, page) = median(&app, key, &format!("{SUBSCRIBERS}?limit=20&cursor=0")).await;
        assert_eq!(page.data()[0]["id"], step);
        let (far, page) = median(&app, key, &format!("{SUBSCRIBERS}?limit=20&cursor={deep}")).await;
        assert_eq!(page.data()[0]["id"], deep + step);
        assert_eq!(page.data().as_array().map(Vec::len), Some(20));
        eprintln!("{whose}: first page {first:?}, page 10 000 by cursor {far:?}: ratio {}", ratio(far, first));
        assert!(far <= first * 5 + NOISE, "{whose}: {far:?} is more than five times {first:?}");

        let (counted, page) = median(&app, key, &format!("{SUBSCRIBERS}?limit=20")).await;
        assert_eq!(page.body["pagination"]["total"], all / step);
        assert!(counted <= first * 5 + NOISE, "{whose}: the total costs {counted:?} beside {first:?}");
    }
    let (few, _) = median(&small, &of_small, STATS).await;
    let (many, stats) = median(&app, &house, STATS).await;
    assert_eq!(stats.data()["total_subscribers"], all);
    eprintln!("stats: {few:?} with 10 000, {many:?} with {all}: ratio {}", ratio(many, few));
    assert!(many <= few * 5 + NOISE, "stats: {many:?} is more than five times {few:?}");

    let wanted = format!("{:07}", all / 2);
    let (time, found) = median(&app, &house, &format!("{SUBSCRIBERS}?username={wanted}")).await;
    assert_eq!(found.data()[0]["id"], all / 2, "{}", found.text);
    assert_eq!(found.body["pagination"]["total"], 1);
    eprintln!("search for one login: {time:?}");
    let (time, found) = median_of(3, &app, &house, &format!("{SUBSCRIBERS}?username=@isp.example")).await;
    assert_eq!(found.body["pagination"]["total"], all, "what every login has");
    eprintln!("search for what every login has, with the total: {time:?}");
    let target = format!("{SUBSCRIBERS}?username=@isp.example&cursor=0");
    let (time, found) = median_of(3, &app, &house, &target).await;
    assert_eq!(found.data()[0]["id"], 1);
    eprintln!("the same by cursor: {time:?}");
    for filter in ["username=77", "is_online=true", "status=3", "expires_before=2026-03-20", "updated_since=2026-03-20"]
    {
        let (counted, _) = median_of(3, &app, &house, &format!("{SUBSCRIBERS}?{filter}")).await;
        let (walked, _) = median_of(3, &app, &house, &format!("{SUBSCRIBERS}?{filter}&cursor=0")).await;
        eprintln!("{filter}: {counted:?} with the total, {walked:?} by cursor");
    }
}

/// In hundredths, as text.
fn ratio(of: Duration, to: Duration) -> String {
    let hundredths = of.as_nanos() * 100 / to.as_nanos().max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
