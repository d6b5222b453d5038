//! `panel service update|delete`.

use serde_json::json;

use crate::home::Home;

fn plans() -> Home {
    let home = Home::with_database();
    home.ok(["service", "add", "Gold", "--download", "20000", "--price", "25.00"]);
    home.ok(["service", "add", "Silver"]);
    home
}

#[test]
fn what_cannot_be_changed_is_refused_and_nothing_is_written() {
    let home = plans();
    let audits = home.count("audit");
    for (arguments, why, remedy) in [
        (&["update", "Bronze", "--price", "1"][..], "Service not found", "list"),
        (&["update", "99", "--price", "1"], "Service not found", "list"),
        (&["update", "", "--price", "1"], "Service not found", "list"),
        (&["update", "99999999999999999999", "--price", "1"], "Service not found", "list"),
        (&["update", "Gold", "--name", "SILVER"], "A service named SILVER exists already", "Nothing was changed."),
        (&["update", "Gold", "--name", ""], "name must be", "Give another value"),
        (&["update", "Gold", "--price", "1.234"], "price must be", "Give another value"),
        (&["update", "Gold", "--period", "0"], "period must be", "Give another value"),
        (&["update", "Gold", "--period", "3651", "--unit", "day"], "period must be", "Give another value"),
        (&["delete", "Bronze"], "Service not found", "list"),
        (&["delete", "DEFAULT"], "The default service default cannot be deleted", "Nothing was changed."),
        (&["delete", "1"], "The default service default cannot be deleted", "Nothing was changed."),
    ] {
        home.run([&["service"], arguments].concat()).refused(why, remedy);
    }
    assert_eq!(home.run(["service", "update", "Gold"]).code, 2, "something must be changed");
    assert_eq!(home.run(["service", "update", "Gold", "--download", "-1"]).code, 2);
    assert_eq!(home.count("audit"), audits);
}

#[test]
fn a_service_that_somebody_has_stays_until_nobody_does() {
    let home = plans();
    home.write("one.csv", "username,service\nada,Gold\n");
    home.ok(["subscriber", "import", "one.csv"]);
    home.run(["service", "delete", "gold"]).refused("Subscribers have the service Gold", "Nothing was changed.");
    assert_eq!(home.count("services WHERE deleted_at IS NULL"), 3);

    home.write("one.csv", "username,service\nada,Silver\n");
    home.ok(["subscriber", "import", "one.csv"]);
    home.ok(["service", "delete", "gold"]);
    home.run(["service", "delete", "gold"]).refused("Service not found", "list");
    assert_eq!(home.count("services WHERE deleted_at IS NOT NULL"), 1);
    assert_eq!(home.count("audit WHERE action = 'services.delete' AND object_id = 2 AND actor_kind = 'operator'"), 1);
    home.ok(["service", "add", "Gold"]);
}

#[test]
fn an_update_changes_what_it_names_and_says_so_in_the_audit() {
    let home = plans();
    let row = home.ok(["--json", "service", "update", "GOLD", "--name", "Gold+", "--upload", "5000"]).json();
    assert_eq!(
        row,
        json!({
            "id": 2, "name": "Gold+", "download_speed": 20000, "upload_speed": 5000, "price": 25.00, "daily_quota": 0,
            "monthly_quota": 0, "period_value": 1, "period_unit": "month"
        })
    );
    let audited =
        |column| home.value::<String>("panel.db", &format!("SELECT {column} FROM audit ORDER BY id DESC LIMIT 1"));
    assert_eq!(
        (audited("action"), audited("before"), audited("after")),
        (
            "services.update".to_owned(),
            r#"{"name":"Gold","upload_speed":0}"#.to_owned(),
            r#"{"name":"Gold+","upload_speed":5000}"#.to_owned()
        )
    );
    let row = home.ok(["--json", "service", "update", "2", "--period", "30", "--unit", "day", "--price", "9.5"]);
    assert!(row.stdout.contains("9.50"), "{row:?}");
    assert_eq!((&row.json()["period_value"], &row.json()["period_unit"]), (&json!(30), &json!("day")));
    // The same once more changes nothing, a name in another case does.
    let audits = home.count("audit");
    home.ok(["service", "update", "2", "--period", "30"]);
    assert_eq!(home.count("audit"), audits);
    home.ok(["service", "update", "2", "--name", "GOLD+"]);
    assert_eq!(home.count("audit"), audits + 1);
}
