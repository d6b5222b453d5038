//! The two usual front ends, each with one connection to what is behind it for all of its callers.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::home::DEADLINE;

/// As lenient as it can be set, so that as much as possible gets through.
const NGINX: &str = "
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log nginx.err;
events { worker_connections 256; }
http {
  log_format seen '$request'; access_log seen.log seen;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s; proxy_read_timeout 20s;
  underscores_in_headers on; ignore_invalid_headers off; merge_slashes off; client_max_body_size 0;
  upstream behind { server unix:BEHIND; keepalive 1; }
  server {
    listen unix:FRONT;
    location / {
      proxy_pass http://behind; proxy_http_version 1.1; proxy_request_buffering off; proxy_ignore_client_abort on;
      proxy_set_header Connection \"\";
    }
  }
}
";

const HAPROXY: &str = "
global
  maxconn 256
  log stdout format raw local0
defaults
  mode http
  log global
  log-format \"%[capture.req.method] %[capture.req.uri]\"
  timeout connect 5s
  timeout client 2s
  timeout server 20s
  timeout http-request 2s
  timeout http-keep-alive 2s
  option accept-invalid-http-request
  http-reuse always
frontend front
  bind unix@FRONT
  default_backend behind
backend behind
  server behind unix@BEHIND maxconn 1
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
}

pub const KINDS: [Kind; 2] = [Kind::Nginx, Kind::Haproxy];

pub struct Front {
    folder: TempDir,
    process: Child,
    kind: Kind,
}

impl Front {
    /// Starts one in front of whoever listens there, and waits until it takes callers.
    pub fn start(kind: Kind, behind: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (name, text, program) = match kind {
            Kind::Nginx => ("nginx.conf", NGINX, "nginx"),
            Kind::Haproxy => ("haproxy.cfg", HAPROXY, "haproxy"),
        };
        let front = folder.path().join("front.sock");
        let text = text.replace("FRONT", front.to_str().unwrap()).replace("BEHIND", behind.to_str().unwrap());
        // Its own user could not reach the socket; where root does not run it the word means nothing.
        let text = if kind == Kind::Nginx && rustix::process::geteuid().is_root() {
            "user root;".to_owned() + &text
        } else {
            text
        };
        std::fs::write(folder.path().join(name), text).unwrap();
        let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
        let mut command = Command::new(program);
        // Debian has both where only root looks.
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        match kind {
            Kind::Nginx => command.arg("-p").arg(folder.path()).args(["-e", "nginx.err", "-c", name]),
            Kind::Haproxy => command.args(["-db", "-f", name]),
        };
        command.current_dir(folder.path()).stdin(Stdio::null());
        let out = if kind == Kind::Haproxy { "seen.log" } else { "out" };
        let process = command.stdout(file(out)).stderr(file("err")).spawn();
        let process = process.unwrap_or_else(|error| panic!("{program} is missing (tests/run installs it): {error}"));
        let mut front = Self { folder, process, kind };
        let until = Instant::now() + DEADLINE;
        while UnixStream::connect(front.socket()).is_err() {
            let over = front.process.try_wait().unwrap();
            assert!(over.is_none() && Instant::now() < until, "{kind:?} does not listen: {}", front.said());
            std::thread::yield_now();
        }
        front
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("front.sock")
    }

    fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("err") + &read("nginx.err") + &read("seen.log")
    }

    /// Sends all of it on a connection of its own and gives what comes until the end.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        // Longer than its own patience.
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let (mut said, mut part) = (Vec::new(), [0; 16 * 1024]);
        loop {
            match stream.read(&mut part) {
                Ok(0) => return said,
                Ok(count) => said.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    panic!(
                        "{:?} does not close: {:?} → {:?}",
                        self.kind,
                        String::from_utf8_lossy(bytes),
                        String::from_utf8_lossy(&said)
                    )
                }
                Err(_) => return said,
            }
        }
    }

    /// How many requests with this mark it saw as requests.
    pub fn saw(&self, mark: &str) -> usize {
        let seen = std::fs::read(self.folder.path().join("seen.log")).unwrap();
        let is_of_it = |word: &str| word.split(['/', '?']).any(|part| part == mark);
        String::from_utf8_lossy(&seen).lines().filter(|line| line.split_whitespace().any(is_of_it)).count()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
