//! The listener for monitoring as an operator meets it: where it is, and what happens where it cannot be.

use std::net::{SocketAddr, TcpListener};

use crate::home::Home;
use crate::raw_http;

fn told(said: &str) -> Option<SocketAddr> {
    let (_, address) = said.split_once("metrics on ")?;
    address.split_whitespace().next()?.trim_end_matches('"').parse().ok()
}

#[test]
fn a_running_server_says_where_its_metrics_are_and_serves_them_there() {
    let home = Home::with_database();
    let (_, key) = home.mint("read");
    let mut server = home.serve_with(&[("PANEL_METRICS__LISTEN", "127.0.0.1:0")]);
    let address = told(&server.said()).unwrap_or_else(|| panic!("not said: {}", server.said()));
    assert_eq!(server.get("/api/v1/external/subscribers", &key).status, 200);
    let page = raw_http::send(address, "GET", "/metrics", &[], "");
    assert_eq!(page.status, 200);
    let counted = "panel_requests_total{surface=\"external\",route=\"/api/v1/external/subscribers\",method=\"GET\",status=\"200\"} 1\n";
    assert!(page.body.contains(counted) && page.body.ends_with("# EOF\n"), "{}", page.body);
    assert!(page.body.contains("panel_keys{style=\"external\",state=\"active\"} 1\n"), "{}", page.body);
    let health = raw_http::send(address, "GET", "/health", &[], "");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("healthy")));
    assert_eq!(server.stop(), Some(0));
    assert!(std::net::TcpStream::connect(address).is_err(), "it outlives the server");
}

#[test]
fn an_empty_address_is_no_listener() {
    let home = Home::new();
    let server = home.serve();
    assert_eq!(told(&server.said()), None, "{}", server.said());
}

#[test]
fn a_taken_port_refuses_to_start_and_names_the_setting() {
    let home = Home::with_database();
    home.ok(["user", "passwd", "admin"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let socket = home.path("panel.sock");
    let listen = format!("unix:{}", socket.display());
    for listen in ["127.0.0.1:0", &listen] {
        let settings = [("PANEL_SERVER__LISTEN", listen), ("PANEL_METRICS__LISTEN", address.as_str())];
        let ran = home.run_with(&settings, ["serve"]);
        ran.refused(&format!("metrics.listen: {address} cannot be listened on"), "metrics.listen = \"\"");
        assert!(ran.stderr.contains("choose another address"), "{ran:?}");
    }
    assert!(!socket.exists(), "a socket where nobody answers was left");
}

#[test]
fn a_second_panel_does_not_take_the_first_ones_socket() {
    let home = Home::new();
    let listen = format!("unix:{}", home.path("panel.sock").display());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = [("PANEL_SERVER__LISTEN", listen.as_str()), ("PANEL_METRICS__LISTEN", free.as_str())];
    let _first = home.serve_with(&settings);
    let second = home.run_with(&settings, ["serve"]);
    second.refused("metrics.listen", "another panel");
    let asked = home.run_with(&settings, ["healthcheck"]);
    assert_eq!(asked.code, 0, "{asked:?}");
}
