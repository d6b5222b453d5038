//! How API access is given and taken, as one story, and the nine flags beside it (seed: "Disabling API access", "Reseller
//! delegation"; panel.md, The grant gate).

use panel::cli::carry_out;
use panel::domain::features::Feature;
use serde_json::json;

use super::{ME, PACKAGES, RESELLERS, USERS, features_of, keys_of, people};
use crate::support::{PASSWORD, TestApp};

const NO_API: (u16, &str, &str) = (403, "FORBIDDEN", "API access is disabled for this account");
const NO_GRANT: (u16, &str, &str) =
    (403, "FORBIDDEN", "Permission denied: cannot grant API (not allowed by your reseller package)");
const ON: i64 = 1;
const OFF: i64 = 0;

fn own_flag(app: &TestApp, user: &str, flag: &str) -> Option<i64> {
    app.rows(&format!("SELECT can_use_{flag} FROM users WHERE username = '{user}'"))[0][format!("can_use_{flag}")]
        .as_i64()
}

#[tokio::test]
async fn api_access_is_inherited_taken_withheld_and_given_back() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita, ulla) = (app.panel_token("admin"), app.panel_token("rita"), app.panel_token("ulla"));
    let (features, key) = (features_of("ulla"), app.panel_key("ulla", "all"));

    // The package's default: on, and nothing of its own.
    assert_eq!(app.see(&features, &ulla).await.body["features"]["api"], true);
    assert_eq!(own_flag(&app, "ulla", "api"), None);
    assert_eq!(app.see(ME, key.secret()).await.status, 200);

    // Off on the account: neither made nor used, whoever asks.
    let off = app.ask("PUT", &features, &admin, json!({"api": false})).await;
    assert_eq!((off.status, &off.body["features"]["api"]), (200, &json!(false)));
    let before = app.footprint();
    for caller in [&admin, &ulla] {
        let refused = app.ask("POST", &keys_of("ulla"), caller, json!({"name": "x"})).await;
        assert_eq!(refused.panel(), NO_API);
        assert_eq!(refused.gates(), ["api_access"]);
    }
    assert_eq!(app.see(ME, key.secret()).await.panel(), NO_API);
    assert_eq!(app.footprint(), before);
    assert_eq!(app.see(ME, &ulla).await.status, 200, "a session is no API access");

    // The lever is the admin's, and without it the reseller may not turn the flag on.
    assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({"can_grant_api": false})).await.status, 200);
    let before = app.footprint();
    for target in [format!("{RESELLERS}/rita"), format!("{RESELLERS}/rita/limits")] {
        let own_lever = app.ask("PUT", &target, &rita, json!({"can_grant_api": true})).await;
        assert_eq!(own_lever.panel(), (403, "FORBIDDEN", "Admin access required"));
    }
    for (body, why) in [
        (json!({"api": true}), "said"),
        (json!({"api": null}), "by going back to the package's value"),
        (json!({"php": false, "api": true}), "in the shade of another"),
    ] {
        let refused = app.ask("PUT", &features, &rita, body).await;
        assert_eq!(refused.panel(), NO_GRANT, "{why}");
        assert_eq!(refused.gates(), ["role"], "{why}");
    }
    assert_eq!(app.footprint(), before, "all or nothing");
    // Off is always allowed, and nothing new.
    assert_eq!(app.ask("PUT", &features, &rita, json!({"api": false, "php": false})).await.status, 200);
    assert_eq!(own_flag(&app, "ulla", "php"), Some(OFF));

    // The admin is unaffected by the lever, and the old key works again.
    assert_eq!(app.ask("PUT", &features, &admin, json!({"api": true})).await.status, 200);
    assert_eq!(own_flag(&app, "ulla", "api"), Some(ON));
    assert_eq!(app.see(ME, key.secret()).await.status, 200);
    assert_eq!(app.ask("POST", &keys_of("ulla"), &ulla, json!({"name": "x"})).await.status, 201);
}

#[tokio::test]
async fn what_the_package_says_holds_for_every_account_that_does_not_say_otherwise() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, key) = (app.panel_token("admin"), app.panel_key("ulla", "all"));
    let default = format!("{PACKAGES}/default");
    for (body, status) in [
        (json!({"api": false}), 403),
        (json!({"api": null}), 403),
        (json!({"can_use_api": true}), 200),
        (json!({"api": false}), 403),
    ] {
        assert_eq!(app.ask("PUT", &default, &admin, body.clone()).await.status, 200, "{body}");
        assert_eq!(app.see(ME, key.secret()).await.status, status, "{body}");
    }
    for (own, status) in [(json!(true), 200), (json!(null), 403), (json!(false), 403)] {
        assert_eq!(app.ask("PUT", &features_of("ulla"), &admin, json!({"api": own})).await.status, 200, "{own}");
        assert_eq!(app.see(ME, key.secret()).await.status, status, "{own}");
        assert_eq!(own_flag(&app, "ulla", "api"), own.as_bool().map(i64::from), "{own}");
    }
    let both = app.ask("PUT", &default, &admin, json!({"api": true, "can_use_api": false})).await;
    assert_eq!(both.status, 400, "two names of one flag that disagree");
}

#[tokio::test]
async fn each_flag_has_a_lever_of_its_own_that_opens_no_other() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    for feature in Feature::ALL {
        let name = feature.as_str();
        let all_off: serde_json::Map<_, _> =
            Feature::ALL.iter().map(|flag| (flag.as_str().to_owned(), json!(false))).collect();
        assert_eq!(app.ask("PUT", &features_of("ulla"), &admin, all_off.into()).await.status, 200);
        let but_this: serde_json::Map<_, _> =
            Feature::ALL.iter().map(|flag| (format!("can_grant_{}", flag.as_str()), json!(*flag == feature))).collect();
        assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, but_this.into()).await.status, 200);

        for other in Feature::ALL.into_iter().filter(|other| *other != feature) {
            let before = app.footprint();
            let refused = app.ask("PUT", &features_of("ulla"), &rita, json!({other.as_str(): true})).await;
            let upper = other.as_str().to_uppercase();
            let text = format!("Permission denied: cannot grant {upper} (not allowed by your reseller package)");
            assert_eq!(refused.panel(), (403, "FORBIDDEN", text.as_str()));
            let fix = format!("panel reseller update rita --grant {}=on", other.as_str());
            assert_eq!(refused.body["denied"][0]["fix"], fix);
            assert_eq!(app.footprint(), before);
        }
        let granted = app.ask("PUT", &features_of("ulla"), &rita, json!({name: true})).await;
        assert_eq!((granted.status, &granted.body["features"][name]), (200, &json!(true)), "{name}");
        let on = granted.body["features"].as_object().unwrap().values().filter(|on| **on == json!(true)).count();
        assert_eq!(on, 1, "{name}");
    }
}

#[tokio::test]
async fn a_package_change_is_no_way_around_the_lever() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    for (name, api) in [("closed", false), ("open", true)] {
        assert_eq!(app.ask("POST", PACKAGES, &admin, json!({"name": name, "api": api})).await.status, 201);
    }
    let (ulla, rita_row) = (format!("{USERS}/ulla"), format!("{RESELLERS}/rita"));
    assert_eq!(app.ask("PUT", &rita_row, &admin, json!({"can_grant_api": false})).await.status, 200);

    assert_eq!(app.ask("PUT", &ulla, &rita, json!({"package": "closed"})).await.status, 200, "less is no grant");
    let before = app.footprint();
    assert_eq!(app.ask("PUT", &ulla, &rita, json!({"package": "open"})).await.panel(), NO_GRANT);
    assert_eq!(app.footprint(), before);
    assert_eq!(app.ask("PUT", &ulla, &admin, json!({"package": "open"})).await.status, 200);

    // On by the account's own flag: the package then grants nothing that was not there.
    assert_eq!(app.ask("PUT", &features_of("ulla"), &admin, json!({"api": true})).await.status, 200);
    for package in ["closed", "open", "default"] {
        assert_eq!(app.ask("PUT", &ulla, &rita, json!({"package": package})).await.status, 200, "{package}");
        assert_eq!(app.see(&features_of("ulla"), &rita).await.body["features"]["api"], true, "{package}");
    }
    // Its own flag off, the package's on, in one change with one that is granted: nothing of it.
    assert_eq!(app.ask("PUT", &features_of("ulla"), &rita, json!({"api": false})).await.status, 200);
    assert_eq!(app.ask("PUT", &features_of("ulla"), &rita, json!({"api": null})).await.panel(), NO_GRANT);
}

#[tokio::test]
async fn what_may_not_be_granted_is_stored_off_on_a_new_account() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    let lever = json!({"can_grant_api": false, "can_grant_ssh": false});
    assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, lever).await.status, 200);

    let new = json!({"username": "nora", "email": "nora@example.com", "password": PASSWORD});
    assert_eq!(app.ask("POST", USERS, &rita, new).await.status, 201);

    for feature in Feature::ALL {
        let withheld = matches!(feature, Feature::Api | Feature::Ssh);
        assert_eq!(own_flag(&app, "nora", feature.as_str()), withheld.then_some(OFF), "{feature:?}");
    }
    let nora = app.panel_token("nora");
    assert_eq!(app.ask("POST", &keys_of("nora"), &nora, json!({"name": "x"})).await.panel(), NO_API);
    // The lever is back: what was stored off stays so until somebody turns it on.
    assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({"can_grant_api": null})).await.status, 200);
    assert_eq!(app.ask("POST", &keys_of("nora"), &nora, json!({"name": "x"})).await.panel(), NO_API);
    assert_eq!(app.ask("PUT", &features_of("nora"), &rita, json!({"api": null})).await.status, 200);
    assert_eq!(app.ask("POST", &keys_of("nora"), &nora, json!({"name": "x"})).await.status, 201);
}

#[tokio::test]
async fn unchanged_true_is_no_grant_and_a_lost_lever_takes_nothing_away() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita, key) = (app.panel_token("admin"), app.panel_token("rita"), app.panel_key("ulla", "all"));
    assert_eq!(app.ask("PUT", &features_of("ulla"), &rita, json!({"api": true})).await.status, 200, "it has the lever");
    assert_eq!(app.ask("PUT", &format!("{RESELLERS}/rita"), &admin, json!({"can_grant_api": false})).await.status, 200);

    assert_eq!(app.see(ME, key.secret()).await.status, 200);
    for body in [json!({"api": true}), json!({"api": true, "php": false}), json!({"php": true, "api": null})] {
        assert_eq!(app.ask("PUT", &features_of("ulla"), &rita, body.clone()).await.status, 200, "{body}");
        assert_eq!(app.see(ME, key.secret()).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn the_lever_comes_from_the_resellers_package_unless_it_has_its_own() {
    let app = TestApp::spawn().await;
    people(&app);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    let (default, row) = (format!("{PACKAGES}/default"), format!("{RESELLERS}/rita"));
    for (target, body, status) in [
        (&default, json!({"can_grant_api": true}), 200),
        (&default, json!({"can_grant_api": false}), 403),
        (&row, json!({"can_grant_api": true}), 200),
        (&row, json!({"can_grant_api": false}), 403),
        (&row, json!({"can_grant_api": null}), 403),
        (&default, json!({"can_grant_api": true}), 200),
    ] {
        assert_eq!(app.ask("PUT", &features_of("ulla"), &admin, json!({"api": false})).await.status, 200);
        assert_eq!(app.ask("PUT", target, &admin, body.clone()).await.status, 200, "{body}");
        let grant = app.ask("PUT", &features_of("ulla"), &rita, json!({"api": true})).await;
        assert_eq!(grant.status, status, "{target} {body}");
        let shown = app.see(&row, &rita).await;
        assert_eq!(shown.body["can_grant_api"], status == 200, "{target} {body}");
    }
}

#[tokio::test]
async fn what_a_refusal_names_as_its_fix_repairs_it() {
    let app = TestApp::spawn().await;
    people(&app);
    app.change("UPDATE users SET can_use_api = 0 WHERE username = 'ulla'", []);
    app.change("UPDATE packages SET can_grant_api = 0", []);
    let (admin, rita) = (app.panel_token("admin"), app.panel_token("rita"));
    for (method, target, bearer, body) in [
        ("PUT", features_of("ulla"), &rita, json!({"api": true})),
        ("POST", PACKAGES.to_owned(), &rita, json!({"name": "gold"})),
        ("POST", keys_of("uwe"), &admin, json!({"name": "x"})),
    ] {
        app.change("UPDATE users SET can_use_api = 0 WHERE username = 'uwe'", []);
        let refused = app.ask(method, &target, bearer, body.clone()).await;
        assert_eq!(refused.status, 403, "{target}");
        let fix = refused.body["denied"][0]["fix"].as_str().unwrap();
        let panel = &app.panel;
        let done = std::thread::scope(|scope| scope.spawn(|| carry_out(panel, fix).is_ok()).join()).unwrap();
        assert!(done, "{fix}");
        assert!(app.ask(method, &target, bearer, body).await.status < 300, "{fix}");
    }
}
