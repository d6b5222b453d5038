//! The table and what is found in it.

use super::*;

fn found(method: &str, path: &str) -> Option<(&'static str, Params)> {
    match find(Method::parse(method), path) {
        Found::Route(route, params) => Some((route.path, params)),
        _ => None,
    }
}

#[test]
fn paths_that_name_nothing() {
    for path in [
        "",
        "x",
        "//",
        "/api/v1/external/",
        "/api/v1/external//subscribers",
        "/api/v1/external/subscribers/",
        "/api/v1/external/subscribers/.",
        "/api/v1/external/subscribers/..",
        "/api/v1/external/./subscribers",
        "/api/v1/external/subscribers/%2e%2e",
        "/api/v1/external/subscribers/a%2Fb",
        "/api/v1/external/subscribers/%zz",
        "/api/v1/external/subscribers/%",
        "/api/v1/external/subscribers/%ff",
        "/api/v1/external/subscribers/%00",
        "/API/v1/external/subscribers",
        "/api/v1/externalx/subscribers",
        "/api/v1/external/subscribers/1/nope",
    ] {
        assert_eq!(find(Some(Method::Get), path), Found::Nothing, "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_told_at_one_look_is_what_each_segment_says(path in "[/.%a2fF\0é]{0,12}") {
        proptest::prop_assert!(!is_plain(&path) || has_good_segments(&path), "{path:?}");
    }
}

#[test]
fn every_row_is_found_by_its_own_path_and_by_no_other() {
    for route in Surface::ALL.iter().flat_map(|surface| surface.routes()) {
        let path = route.path.split('/').map(|part| if part.starts_with('{') { "7" } else { part }).collect::<Vec<_>>();
        let path = path.join("/");
        let Found::Route(row, params) = find(Some(route.method), &path) else { panic!("{route} is not found") };
        assert_eq!(row, route);
        assert_eq!(params.0.len(), route.path.matches('{').count(), "{route}");
        assert_eq!(Surface::of(&path), route.surface, "{route}");
    }
}

#[test]
fn actions_name_one_row_each() {
    for surface in Surface::ALL {
        let mut actions: Vec<_> = surface.routes().iter().map(|route| route.action).collect();
        let rows = actions.len();
        actions.sort_unstable();
        actions.dedup();
        assert_eq!(actions.len(), rows, "{}", surface.as_str());
    }
}

#[test]
fn an_at_sign_in_a_username_is_raw_or_encoded() {
    for path in ["/api/v1/external/subscribers/by-username/a@b.lb", "/api/v1/external/subscribers/by-username/a%40b.lb"]
    {
        let (template, params) = found("GET", path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(template, "/api/v1/external/subscribers/by-username/{username}");
        assert_eq!(params.get("username"), Some("a@b.lb"));
    }
}

#[test]
fn collection_roots_of_the_panel_answer_with_a_trailing_slash() {
    assert!(found("GET", "/api/v1/users/").is_some());
    assert!(found("POST", "/api/v1/users/ada/api-keys/").is_some());
    assert!(found("GET", "/api/api-keys/").is_some());
    assert!(found("GET", "/api/v1/users/ada/").is_none());
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let Found::WrongMethod(allow) = find(Some(Method::Delete), "/api/v1/external/subscribers") else { panic!() };
    assert_eq!(allow, [Method::Get, Method::Post]);
    assert!(matches!(find(None, "/api/v1/external/subscribers"), Found::WrongMethod(_)));
}

#[test]
fn path_ids_are_positive_integers() {
    for (text, id) in [
        ("1", Some(1)),
        ("0", None),
        ("-1", None),
        ("01", None),
        ("1.0", None),
        ("", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
        ("+1", None),
        ("١", None),
    ] {
        assert_eq!(Params(vec![("id", text.to_owned())]).id("id"), id, "{text}");
    }
}
