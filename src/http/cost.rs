//! What the hot paths cost, held by figures that neither the machine nor its load changes: allocations, statements, and
//! steps of SQLite's virtual machine. Whoever makes one dearer sees it here, and raises the figure knowingly.

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Data};
use futures_util::FutureExt;
use tempfile::TempDir;

use super::{State, door};
use crate::actions::subscribers::{self, Change};
use crate::app::{App, Clock};
use crate::config::Config;
use crate::domain::keys::hash_of;
use crate::domain::policy;
use crate::domain::services::ServiceId;
use crate::domain::subscribers::{Login, NewSubscriber};
use crate::running::Running;
use crate::store::cost::{self, Cost};

const KEY: &str = "pk_live_0123456789abcdef0123456789abcdef";

struct House {
    running: Running,
    _folder: TempDir,
}

impl House {
    /// With so many subscribers, and without what runs by the clock.
    fn with(subscribers: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.database.path = folder.path().join("panel.db");
        config.limits.per_key_per_minute = 0;
        let app = App::open(config, Clock::default()).unwrap();
        cost::fill(&folder.path().join("panel.db"), &hash_of(KEY.as_bytes()), subscribers);
        Self { running: Running::begin(app, false).unwrap(), _folder: folder }
    }

    fn state(&self) -> &Data<State> {
        &self.running.state
    }

    /// What one request costs on the thread that answers it, when the same was asked before.
    fn read(&self, path: &str) -> (u64, Cost) {
        System::new().block_on(self.reads(path))
    }

    async fn reads(&self, path: &str) -> (u64, Cost) {
        let app = actix_web::App::new().app_data(self.state().clone()).default_service(web::to(door::serve));
        let service = init_service(app).await;
        let mut last = None;
        for _ in 0..3 {
            let request = TestRequest::get().uri(path).insert_header(("x-api-key", KEY)).to_request();
            let before = cost::spent();
            let mut answer: Option<ServiceResponse> = None;
            // What waits for another thread would not be counted here.
            let counted = allocation_counter::measure(|| {
                answer = service.call(request).now_or_never().map(Result::unwrap);
            });
            let status = answer.map(|answer| answer.status());
            assert_eq!(status, Some(StatusCode::OK), "{path}");
            last = Some((counted.count_total, cost::spent() - before));
        }
        last.unwrap()
    }

    /// What a create costs the thread that writes.
    fn create(&self, turn: i64) -> Cost {
        let app = &self.state().app;
        let values = Change { full_name: Some("New Customer".to_owned()), ..Change::default() };
        let draft = values.into_draft(Login::parse("username", &format!("new{turn}")).unwrap(), ServiceId(1));
        let (uid, password_sealed) = ([1; 16], vec![0; 40]);
        let new = NewSubscriber { draft, uid, password_sealed, now: app.now(), today: app.today() };
        let work = move |tx: &crate::store::WriteTx<'_>| {
            let before = cost::spent();
            subscribers::create(tx, &policy::operator("test"), &new)?;
            Ok(cost::spent() - before)
        };
        app.db.write_blocking(work).unwrap()
    }
}

const READ: &str = "/api/v1/external/subscribers/7";

#[test]
fn a_read_takes_no_more_than_this() {
    let house = House::with(10);
    let (allocations, cost) = house.read(READ);
    assert!(allocations <= 34, "{allocations} allocations");
    assert!(cost.statements <= 4 && cost.steps <= 78, "{cost:?}");
}

#[test]
fn a_create_takes_no_more_than_this() {
    let house = House::with(10);
    // The first of a day makes the rows in which the others are counted.
    house.create(0);
    let cost = house.create(1);
    assert!(cost.statements <= 6 && cost.steps <= 487, "{cost:?}");
}

#[test]
fn what_the_hot_paths_cost_does_not_grow_with_the_rows() {
    let (few, many) = (House::with(200), House::with(20_000));
    for path in [
        READ,
        "/api/v1/external/subscribers/by-username/customer7",
        "/api/v1/external/subscribers/7/usage",
        "/api/v1/external/subscribers",
        "/api/v1/external/subscribers?page=3",
        "/api/v1/external/system/stats",
        "/api/v1/external/services",
    ] {
        let ((_, small), (_, large)) = (few.read(path), many.read(path));
        assert_eq!(small, large, "{path}");
    }
    few.create(0);
    many.create(0);
    assert_eq!(few.create(1), many.create(1));
}
