//! `panel openapi`: the interface description without a server.

use crate::home::Home;

#[test]
fn it_prints_the_document_and_needs_no_database() {
    let home = Home::new();
    let printed = home.ok(["openapi"]);
    assert_eq!(home.contents(), [], "nothing is made");
    assert_eq!(printed.stderr, "");
    let document = printed.json();
    assert_eq!((&document["openapi"], &document["info"]["title"]), (&"3.1.0".into(), &"panel".into()));
    assert_eq!(printed.stdout, panel::http::openapi::text(), "byte for byte what is served");
}
