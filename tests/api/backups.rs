//! Backups by the clock, and what monitoring is told of them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{PATIENCE, Plan, TestApp};

/// The names in the folder of backups, sorted; of those that are still being made none.
fn names(app: &TestApp) -> Vec<String> {
    let entries = fs::read_dir(folder(app)).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.') && !name.contains("2099"));
    names.sort();
    names
}

fn folder(app: &TestApp) -> PathBuf {
    app.panel.config().backup_folder()
}

async fn health(app: &TestApp) -> Value {
    let address = app.metrics.unwrap();
    reqwest::get(format!("http://{address}/health")).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn every_day_one_is_made_and_verified_and_only_the_newest_are_kept() {
    let plan = Plan::new().with_metrics().at("2026-05-12T03:29:00Z").config(|config| config.backup.keep = 2);
    let app = plan.spawn().await;
    // What only bears such a name is somebody else's.
    fs::create_dir(folder(&app)).unwrap();
    let theirs = folder(&app).join("panel-scheduled-20990101T033000.000Z.db");
    fs::write(&theirs, "theirs").unwrap();
    assert_eq!(health(&app).await["last_verified_backup_age"], Value::Null);
    let mut expected: Vec<String> = Vec::new();
    // What a backup left that was cut short.
    let left = folder(&app).join(".panel-scheduled-20260501T033000.000Z.db.part");
    fs::write(&left, "half").unwrap();
    for day in 12..16 {
        app.move_to(&format!("2026-05-{day}T03:31:00Z"));
        expected.push(format!("panel-scheduled-202605{day}T033100.000Z.db"));
        if expected.len() > 2 {
            expected.remove(0);
        }
        let verified = i64::try_from(expected.len()).unwrap();
        let is_made = || names(&app) == expected && app.count("backups WHERE verified_at IS NOT NULL") == verified;
        app.eventually("the backup of the day", PATIENCE, is_made).await;
        assert_eq!(health(&app).await["last_verified_backup_age"], 0);
    }
    app.move_to("2026-05-15T05:31:00Z");
    assert_eq!(health(&app).await["last_verified_backup_age"], 7200);
    assert_eq!(names(&app), expected, "one a day");
    assert!(!left.exists());
    assert!(theirs.exists());
}

#[tokio::test]
async fn one_that_was_made_and_never_looked_at_is_looked_at_and_one_that_is_lost_is_made_anew() {
    for lost in [false, true] {
        let mut app = Plan::new().at("2026-05-12T03:31:00Z").without_jobs().spawn().await;
        let (_, path) = {
            let permit = panel::domain::policy::system();
            let kind = panel::domain::backups::Kind::Scheduled;
            let make = || panel::backups::make(&app.panel, &permit, kind, None, &mut panel::store::Pace::new(u64::MAX));
            // It waits for the writer, which a runtime's own thread must not.
            std::thread::scope(|scope| scope.spawn(make).join().unwrap()).unwrap()
        };
        // Older than the slot, so that the backup above is the one of the day.
        app.change("UPDATE users SET created_at = 1", []);
        if lost {
            fs::remove_file(&path).unwrap();
        }
        app = app.restart_with_jobs().await;
        let whole = || app.count("backups WHERE verified_at IS NOT NULL") == 1;
        app.eventually("it is looked at", PATIENCE, whole).await;
        // Its path is the old one: the clock stands still.
        let same = app.count("backups WHERE id = 1") == 1;
        assert_eq!((app.count("backups"), same), (1, !lost), "lost: {lost}");
    }
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_stops_nothing_else() {
    let app = Plan::new().with_metrics().at("2026-05-12T03:29:00Z").spawn().await;
    fs::write(folder(&app), "a file where the folder belongs").unwrap();
    app.move_to("2026-05-12T03:31:00Z");
    let key = app.external_key("admin", "read");
    assert_eq!(app.get("/api/v1/external/services", &key).await.status, 200);
    assert_eq!(health(&app).await["status"], "healthy");
    assert_eq!(app.count("backups"), 0);
}
