//! A tiny server with a hole: it puts what it is asked for into its statement as it came. Whatever looks for such holes
//! must find this one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rusqlite::Connection;
use serde_json::Value;

/// Serves until the tests end, on a port of its own: `GET /people?name=…` and `POST /people` with `{"name": …}`.
pub fn open() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn people() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    let made = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
                INSERT INTO people (name) VALUES ('ada'), ('bob'), ('cleo');";
    database.execute_batch(made).unwrap();
    database
}

fn found(name: &str) -> rusqlite::Result<Vec<String>> {
    let database = people();
    let mut statement = database.prepare(&format!("SELECT id, name FROM people WHERE name = '{name}'"))?;
    let rows = statement.query_map([], |row| {
        let name = row.get::<_, rusqlite::types::Value>(1)?;
        Ok(format!("{name:?}"))
    })?;
    rows.collect()
}

fn answer(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        while head != "\r\n" {
            head.clear();
            stream.read_line(&mut head).ok().filter(|read| *read > 0)?;
            if let Some((_, value)) = head.to_ascii_lowercase().split_once("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let target = line.split(' ').nth(1)?;
        let query = target.split_once("name=").map(|(_, name)| format!("name={}", name.split('&').next().unwrap()));
        let query = query.unwrap_or_default();
        let asked = form_urlencoded::parse(query.as_bytes()).next().map(|(_, name)| name.into_owned());
        let sent = serde_json::from_slice::<Value>(&body).ok();
        let name = asked.or_else(|| sent?["name"].as_str().map(str::to_owned)).unwrap_or_default();
        let (status, text) = match found(&name) {
            Ok(rows) => ("200 OK", format!("{rows:?}")),
            Err(_) => ("400 Bad Request", "[]".to_owned()),
        };
        let length = text.len();
        write!(
            stream.get_mut(),
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{text}"
        )
        .ok()?;
    }
}
