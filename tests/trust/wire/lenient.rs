//! A server that is lenient on purpose: it takes no body of a GET for a body, and is slow to answer what it takes for a request
//! instead. It shows that the tests would see what they look for.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub struct Lenient {
    /// The paths of what it answered.
    answered: Arc<Mutex<Vec<String>>>,
}

impl Lenient {
    /// Listens until the test process ends.
    pub fn listen(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let lenient = Self::default();
        let answered = Arc::clone(&lenient.answered);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answered = Arc::clone(&answered);
                std::thread::spawn(move || serve(stream, &answered));
            }
        });
        lenient
    }

    pub fn answered(&self, mark: &str) -> usize {
        self.answered.lock().unwrap().iter().filter(|path| path.ends_with(mark)).count()
    }
}

fn serve(stream: UnixStream, answered: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut waiting = VecDeque::new();
    loop {
        let mut start = String::new();
        if !stream.read_line(&mut start).is_ok_and(|count| count > 0) {
            return;
        }
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if !stream.read_line(&mut line).is_ok_and(|count| count > 0) {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "x-request-id" => id = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        if !start.starts_with("GET ") && stream.read_exact(&mut vec![0; length]).is_err() {
            return;
        }
        let path = start.split(' ').nth(1).unwrap_or_default().to_owned();
        // Its answer is ready only when the next request is there: that one gets it.
        let is_slow = path.contains("smuggled");
        answered.lock().unwrap().push(path);
        waiting.push_back(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: {id}\r\n\r\nok"));
        let answer = waiting.pop_front_if(|_| !is_slow).unwrap_or_default();
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
