//! The Unix socket for a reverse proxy: who may connect, whose place it takes, and that whoever is there is believed.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::home::{Home, SUBSCRIBERS};
use crate::raw_http;
use crate::server::Server;

fn listen(home: &Home) -> String {
    format!("unix:{}", home.path("panel.sock").display())
}

fn serve(home: &Home) -> Server {
    home.serve_with(&[("PANEL_SERVER__LISTEN", &listen(home))])
}

fn refuses(home: &Home, why: &str) {
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &listen(home))], ["serve"]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    // The log's and the setup link's lines come first.
    let [.., what, remedy] = lines.as_slice() else { panic!("{ran:?}") };
    assert!(
        ran.code == 1 && what.contains(&format!("server.listen: {}", listen(home))) && what.contains(why),
        "{ran:?}"
    );
    assert_eq!(*remedy, "Stop what uses it, or choose another address.");
}

#[test]
fn a_file_that_is_no_socket_is_not_deleted() {
    let home = Home::new();
    home.write("panel.sock", "somebody's notes");
    refuses(&home, "there is a file that is no socket");
    assert_eq!(std::fs::read(home.path("panel.sock")).unwrap(), b"somebody's notes");
    std::fs::remove_file(home.path("panel.sock")).unwrap();
    home.write("notes", "somebody's notes");
    std::os::unix::fs::symlink(home.path("notes"), home.path("panel.sock")).unwrap();
    refuses(&home, "there is a file that is no socket");
    assert!(home.path("panel.sock").is_symlink() && home.path("notes").exists());
}

#[test]
fn a_living_server_s_socket_is_not_taken_from_it() {
    let home = Home::new();
    let first = serve(&home);
    let other = Home::new();
    let ran = other.run_with(&[("PANEL_SERVER__LISTEN", &listen(&home))], ["serve"]);
    assert!(ran.code == 1 && ran.stderr.contains("another program listens there"), "{ran:?}");
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &listen(&home))], ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    drop(first);
}

#[test]
fn a_server_that_is_too_busy_to_accept_is_living_as_well() {
    let home = Home::new();
    let busy = UnixListener::bind(home.path("panel.sock")).unwrap();
    // Nobody accepts these; when the queue is full, one more would wait.
    rustix::net::listen(&busy, 0).unwrap();
    let _waiting = UnixStream::connect(home.path("panel.sock")).unwrap();
    refuses(&home, "another program listens there");
    assert!(home.path("panel.sock").exists());
}

#[test]
fn owner_and_group_may_connect_and_nobody_else_whatever_the_mask() {
    for mask in ["000", "022", "077", "777"] {
        let home = Home::new();
        // The database's own files need their owner's bits.
        let inner = home.command(["serve"]);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("umask {mask}; exec \"$0\" serve"), inner.get_program().to_str().unwrap()]);
        command.current_dir(home.folder());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("PANEL_SERVER__LISTEN", listen(&home));
        if mask == "777" {
            home.ok(["user", "list"]);
        }
        let mut server = home.start(command);
        let file = std::fs::symlink_metadata(home.path("panel.sock")).unwrap();
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o7777, 0o660, "umask {mask}");
        assert_eq!(server.stop(), Some(0));
        assert!(!home.path("panel.sock").exists(), "it is removed at the end");
    }
}

#[test]
fn the_socket_of_a_dead_server_is_replaced() {
    let home = Home::new();
    serve(&home).kill();
    assert!(home.path("panel.sock").exists(), "a killed server leaves it behind");
    let server = serve(&home);
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &listen(&home))], ["healthcheck"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    drop(server);
}

#[test]
fn at_the_end_only_the_server_s_own_socket_is_removed() {
    let home = Home::new();
    let mut server = serve(&home);
    std::fs::remove_file(home.path("panel.sock")).unwrap();
    let _other = UnixListener::bind(home.path("panel.sock")).unwrap();
    assert_eq!(server.stop(), Some(0));
    assert!(home.path("panel.sock").exists());
}

#[test]
fn an_address_that_cannot_be_had_leaves_no_socket_behind() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let both = format!("{},{}", listen(&home), taken.local_addr().unwrap());
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &both)], ["serve"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!home.path("panel.sock").exists());
}

#[test]
fn whoever_connects_is_a_trusted_proxy() {
    let home = Home::new();
    let _server = serve(&home);
    let key = home.mint_from("read", "192.0.2.1");
    let status = |claim: Option<&str>| {
        let mut headers = vec![("X-API-Key", key.as_str())];
        headers.extend(claim.map(|ip| ("X-Forwarded-For", ip)));
        let stream = UnixStream::connect(home.path("panel.sock")).unwrap();
        raw_http::send_on(stream, "GET", SUBSCRIBERS, &headers, "").status
    };
    assert_eq!((status(Some("192.0.2.1")), status(Some("192.0.2.2")), status(None)), (200, 403, 403));
}
