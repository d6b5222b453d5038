//! `panel healthcheck`: asks the listener that the settings name.

use crate::home::Home;

#[test]
fn no_server_is_exit_1_and_says_what_to_do() {
    let home = Home::new();
    // A port that was free a moment ago, and a socket that nobody made.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = format!("unix:{}", home.path("panel.sock").display());
    for listen in [free.to_string(), socket] {
        let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &listen)], ["healthcheck"]);
        ran.refused(&format!("no server answers at {listen}"), "panel serve");
    }
    assert_eq!(home.contents(), [], "asking makes no database");
}

#[test]
fn another_program_on_the_port_is_not_healthy() {
    let home = Home::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = other.accept().unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &address)], ["healthcheck"]);
    ran.refused("404", "panel serve");
}

#[test]
fn a_running_server_is_healthy() {
    let home = Home::new();
    let server = home.serve();
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &server.address.to_string())], ["healthcheck"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
    let home = Home::new();
    let server = home.serve_with(&[("PANEL_SERVER__LISTEN", "0.0.0.0:0")]);
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &everywhere)], ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_server_on_a_unix_socket_is_healthy_and_says_where_it_listens() {
    let home = Home::new();
    let listen = format!("unix:{}", home.path("panel.sock").display());
    let settings = [("PANEL_SERVER__LISTEN", listen.as_str())];
    let mut server = home.serve_with(&settings);
    let ran = home.run_with(&settings, ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(server.said().contains(&format!("listening on {listen}")), "{}", server.said());
    assert_eq!(home.mode("panel.sock"), 0o660, "a proxy in the group may connect, nobody else");

    assert_eq!(server.stop(), Some(0));
    assert_eq!(home.run_with(&settings, ["healthcheck"]).code, 1);
}

#[test]
fn a_unix_socket_left_by_a_kill_does_not_keep_the_next_start_away() {
    let home = Home::new();
    let listen = format!("unix:{}", home.path("panel.sock").display());
    let settings = [("PANEL_SERVER__LISTEN", listen.as_str())];
    home.serve_with(&settings).kill();
    let _server = home.serve_with(&settings);
    let ran = home.run_with(&settings, ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
