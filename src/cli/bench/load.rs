//! The clients: a thread and a kept connection for each, one request at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::figures::Times;
use super::interrupted;
use crate::cli::output::Failure;

/// Longer than the panel takes to give up.
const PATIENCE: Duration = Duration::from_secs(35);

/// A client needs no more.
const STACK_BYTES: usize = 256 * 1024;

/// How long, with how many, and whether somebody wants it to end.
#[derive(Debug, Clone, Copy)]
pub struct Effort<'a> {
    pub address: SocketAddr,
    pub connections: u32,
    pub lasting: Duration,
    pub stop: &'a AtomicBool,
}

#[derive(Debug)]
pub struct Outcome {
    pub times: Times,
    pub took: Duration,
    /// Processor time of the clients, and of the whole process.
    pub load_cpu: Duration,
    pub cpu: Duration,
}

/// Sends what `request` makes for (client, turn) until the time is over. Every answer must have this status.
pub fn run(effort: Effort<'_>, status: u16, request: impl Fn(u32, u64) -> String + Sync) -> Result<Outcome, Failure> {
    let connect = |client| Ok((client, Connection::open(effort.address)?));
    let connected = (0..effort.connections).map(connect).collect::<io::Result<Vec<_>>>();
    let connected = connected.map_err(|error| failed(&format!("a client cannot connect: {error}")))?;
    let (began, cpu_before) = (Instant::now(), cpu_of(ClockId::ProcessCPUTime));
    let until = began + effort.lasting;
    let request = &request;
    let parts = std::thread::scope(|scope| {
        let start = |(client, connection): (u32, Connection)| {
            let work = move || ask(connection, until, effort.stop, status, |turn| request(client, turn));
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work)
        };
        let threads: Vec<_> = connected.into_iter().map(start).collect();
        let join = |thread: io::Result<std::thread::ScopedJoinHandle<'_, _>>| {
            thread?.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
        };
        threads.into_iter().map(join).collect::<io::Result<Vec<_>>>()
    });
    let parts = parts.map_err(|error| failed(&error.to_string()))?;
    let (took, cpu) = (began.elapsed(), cpu_of(ClockId::ProcessCPUTime).saturating_sub(cpu_before));
    if effort.stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    let (mut times, mut load_cpu) = (Times::none(), Duration::ZERO);
    for (part, cpu) in parts {
        times.merge(&part);
        load_cpu += cpu;
    }
    Ok(Outcome { times, took, load_cpu, cpu })
}

fn ask(
    mut connection: Connection,
    until: Instant,
    stop: &AtomicBool,
    status: u16,
    request: impl Fn(u64) -> String,
) -> io::Result<(Times, Duration)> {
    let (mut times, mut turn) = (Times::none(), 0);
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        let request = request(turn);
        let began = Instant::now();
        let answer = connection.exchange(request.as_bytes())?;
        times.add(began.elapsed());
        if answer != status {
            return Err(io::Error::other(format!("a call was answered {answer} instead of {status}")));
        }
        turn += 1;
    }
    Ok((times, cpu_of(ClockId::ThreadCPUTime)))
}

/// Processor time so far: the thread's clock begins with the thread.
fn cpu_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn failed(why: &str) -> Failure {
    Failure::new(format!("the measuring failed: {why}"), "Try fewer --connections; look at the free memory and disk.")
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and reads its answer to the end; gives the status.
    fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 4096];
        loop {
            if let Some((status, length)) = head_of(&self.buffer)
                && self.buffer.len() >= length
            {
                return Ok(status);
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend(chunk.iter().take(read)),
            }
        }
    }
}

/// The status of an answer and how long it is altogether; `None`: its head is not complete.
fn head_of(answer: &[u8]) -> Option<(u16, usize)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(Some(0), |(_, value)| value.trim().parse().ok())?;
    Some((status, end + length))
}

#[cfg(test)]
mod tests {
    use super::head_of;

    #[test]
    fn an_answer_is_complete_with_the_length_that_its_head_names() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(head_of(whole), Some((201, whole.len())));
        assert_eq!(head_of(&whole[..30]), None);
        assert_eq!(head_of(b"HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 27)));
    }
}
