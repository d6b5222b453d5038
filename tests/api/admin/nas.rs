//! `/api/nas`: a router's secret goes in, never comes out, and can be taken away (admin.md).

use serde_json::json;

use crate::support::TestApp;

const NAS: &str = "/api/nas";
const SECRET: &str = "radius-s3cret";

#[tokio::test]
async fn a_secret_stays_until_it_is_replaced_or_taken_away_with_null() {
    let app = TestApp::spawn().await;
    let token = app.admin_token("admin");
    let body = json!({"name": "tower", "ip_address": "10.0.0.1", "secret": SECRET});
    let made = app.ask("POST", NAS, &token, body).await;
    assert_eq!((made.status, &made.body["data"]["has_secret"]), (201, &json!(true)), "{}", made.text);
    let one = format!("{NAS}/{}", made.body["data"]["id"]);

    for wrong in [json!(""), json!("a\nb"), json!("x".repeat(129)), json!(5)] {
        let refused = app.ask("PUT", &one, &token, json!({"secret": wrong})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let kept = app.ask("PUT", &one, &token, json!({"coa_port": 1700})).await;
    assert_eq!(kept.body["data"]["has_secret"], true);
    let bare = || app.count("nas WHERE secret_sealed IS NULL");
    assert_eq!(bare(), 0);

    let taken = app.ask("PUT", &one, &token, json!({"secret": null})).await;
    assert_eq!((taken.status, &taken.body["data"]["has_secret"]), (200, &json!(false)), "{}", taken.text);
    assert_eq!(bare(), 1);
    let told = app.text("SELECT after FROM audit WHERE action = 'nas.update' ORDER BY id DESC LIMIT 1");
    assert_eq!(told.as_deref(), Some(r#"{"secret":null}"#));
    assert_eq!(app.count(&format!("audit WHERE after LIKE '%{SECRET}%' OR before LIKE '%{SECRET}%'")), 0);
}
