//! `/api/services`: what a plan may cost (admin.md).

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_period_out_of_its_range_is_refused_by_the_name_of_its_field() {
    let app = TestApp::spawn().await;
    let token = app.admin_token("admin");
    for period in [0, -1, 3_651, i64::MAX] {
        for (method, target) in [("POST", "/api/services"), ("PUT", "/api/services/1")] {
            let refused = app.ask(method, target, &token, json!({"name": "Gold", "period_value": period})).await;
            assert_eq!(refused.admin(), (400, "period_value must be 1-3650"), "{method} {period}");
        }
    }
}

#[tokio::test]
async fn a_price_that_no_transaction_can_carry_is_refused() {
    let app = TestApp::spawn().await;
    let token = app.admin_token("admin");
    for price in [json!(10_000_000), json!(1.234), json!(-1), json!("5"), json!(1e30)] {
        for (method, target) in [("POST", "/api/services"), ("PUT", "/api/services/1")] {
            let refused = app.ask(method, target, &token, json!({"name": "Gold", "price": price})).await;
            assert_eq!(refused.status, 400, "{method} {price}: {}", refused.text);
            assert!(refused.text.contains("up to 9999999.99"), "{}", refused.text);
        }
    }
    assert_eq!(app.text("SELECT group_concat(name || ' ' || price) FROM services").as_deref(), Some("default 0"));
    let made = app.ask("POST", "/api/services", &token, json!({"name": "Gold", "price": 9_999_999.99})).await;
    assert_eq!(made.status, 201, "{}", made.text);
}
