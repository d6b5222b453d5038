//! Requests that two readers may take for different numbers of requests: each carries a second one where one of them sees a body.

use crate::home::SUBSCRIBERS;

/// What the panel, asked directly, must do with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 400, and the connection is closed.
    Refused,
    /// There is one right reading of it, in which the second request is a body.
    Once,
}

pub struct Pattern {
    pub name: String,
    pub verdict: Verdict,
    pub bytes: Vec<u8>,
}

/// How the hidden request, and its answer, can be told from others.
pub fn mark(number: usize) -> String {
    format!("smuggled-{number}")
}

/// A whole request, which leaves its mark in the request log and in its answer.
pub fn hidden(number: usize, key: &str) -> String {
    let mark = mark(number);
    format!(
        "GET {SUBSCRIBERS}/by-username/{mark} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nX-Request-Id: {mark}\r\n\r\n"
    )
}

struct Table<'a> {
    key: &'a str,
    patterns: Vec<Pattern>,
}

impl Table<'_> {
    /// `lines` may say `LENGTH` for that of the whole body.
    fn add(&mut self, name: &str, verdict: Verdict, start: &str, lines: &str, body: impl Fn(&str) -> String) {
        let hidden = hidden(self.patterns.len(), self.key);
        let body = body(&hidden);
        let lines = lines.replace("LENGTH", &body.len().to_string());
        let bytes = format!("{start}\r\nHost: x\r\nX-API-Key: {}\r\n{lines}\r\n\r\n{body}", self.key).into_bytes();
        self.patterns.push(Pattern { name: format!("{name}: {:?}", lines.replace(self.key, "KEY")), verdict, bytes });
    }

    /// As it is, with `KEY` and `HIDDEN` filled in.
    fn whole(&mut self, name: &str, verdict: Verdict, request: &str) {
        let hidden = hidden(self.patterns.len(), self.key);
        let bytes = request.replace("KEY", self.key).replace("HIDDEN", &hidden).into_bytes();
        self.patterns.push(Pattern { name: name.to_owned(), verdict, bytes });
    }
}

const POST: &str = "POST /api/v1/external/subscribers HTTP/1.1";
const GET: &str = "GET /api/v1/external/subscribers HTTP/1.1";

/// What a reader of chunks takes for an empty body, and what follows for a request.
fn after_no_chunk(hidden: &str) -> String {
    format!("0\r\n\r\n{hidden}")
}

/// What a reader of chunks takes for one chunk.
fn in_a_chunk(hidden: &str) -> String {
    format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())
}

fn bare(hidden: &str) -> String {
    hidden.to_owned()
}

pub fn all(key: &str) -> Vec<Pattern> {
    let mut table = Table { key, patterns: Vec::new() };
    lengths_and_chunks(&mut table);
    lengths(&mut table);
    chunks(&mut table);
    lines(&mut table);
    unusual(&mut table);
    table.patterns
}

fn lengths_and_chunks(table: &mut Table<'_>) {
    use Verdict::{Once, Refused};
    table.add("CL.TE", Refused, POST, "Content-Length: LENGTH\r\nTransfer-Encoding: chunked", after_no_chunk);
    table.add("TE.CL", Refused, POST, "Transfer-Encoding: chunked\r\nContent-Length: 4", in_a_chunk);
    for coding in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:chunked",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: chunked\t",
        "Transfer-Encoding: \0chunked",
        "Transfer-Encoding\0: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: ",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chun\r\n ked",
        "Transfer-Encoding: gzip, chunked",
        "tRANSFER-eNCODING: cHUNKED",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        let lines = format!("Content-Length: LENGTH\r\n{coding}");
        table.add("CL.TE in disguise", Refused, POST, &lines, after_no_chunk);
        let lines = format!("{coding}\r\nContent-Length: 4");
        table.add("TE.CL in disguise", Refused, POST, &lines, in_a_chunk);
    }
    for other in ["Transfer_Encoding: chunked", "Transfer-Encodin: chunked", "X-Transfer-Encoding: chunked"] {
        table.add("another header", Once, POST, &format!("Content-Length: LENGTH\r\n{other}"), after_no_chunk);
    }
    let old = "POST /api/v1/external/subscribers HTTP/1.0";
    table.add("1.0 with TE", Refused, old, "Transfer-Encoding: chunked", after_no_chunk);
    table.add("1.0 with both", Refused, old, "Transfer-Encoding: chunked\r\nContent-Length: LENGTH", after_no_chunk);
    table.add("1.0 without a length", Refused, old, "Connection: keep-alive", bare);
}

fn lengths(table: &mut Table<'_>) {
    use Verdict::{Once, Refused};
    for length in [
        "Content-Length: LENGTH\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: LENGTH",
        "Content-Length: LENGTH\r\nContent-Length: LENGTH",
        "Content-Length: 0, LENGTH",
        "Content-Length: LENGTH, LENGTH",
        "Content-Length: +LENGTH",
        "Content-Length: -1",
        "Content-Length: -0",
        "Content-Length: 0x10",
        "Content-Length: 1 0",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999999999",
        "Content-Length: ",
        "Content-Length: LENGTH;x",
        "Content-Length: LENGTH.0",
        "Content-Length: 1e2",
        "Content-Length: \u{b}LENGTH",
        "Content-Length: LENGTH\0",
        "Content-Length: \u{661}",
        "Content-Length : LENGTH",
        "Content-Length:\r\n LENGTH",
        "X: y\r\n Content-Length: LENGTH",
        "X: y\rContent-Length: LENGTH",
        "Content-Length: 0\r\ncontent-length: LENGTH",
    ] {
        table.add("a length", Refused, POST, length, bare);
    }
    for length in [
        "Content-Length: 000LENGTH",
        "Content-Length:  LENGTH\t ",
        "cONTENT-lENGTH:LENGTH",
        "X: y\nContent-Length: LENGTH",
    ] {
        table.add("a length that is one", Once, POST, length, bare);
        table.add("a GET with a body", Once, GET, length, bare);
    }
    table.add("a HEAD with a body", Once, &GET.replace("GET", "HEAD"), "Content-Length: LENGTH", bare);
    table.add("an OPTIONS with a body", Once, &GET.replace("GET", "OPTIONS"), "Content-Length: LENGTH", bare);
    table.add("a TRACE with a body", Once, &GET.replace("GET", "TRACE"), "Content-Length: LENGTH", bare);
}

fn chunks(table: &mut Table<'_>) {
    use Verdict::{Once, Refused};
    let chunked = "Transfer-Encoding: chunked";
    for (name, verdict, size) in [
        ("+", Refused, "+SIZE\r\n"),
        ("-", Refused, "-SIZE\r\n"),
        ("0x", Refused, "0xSIZE\r\n"),
        ("a space first", Refused, " SIZE\r\n"),
        ("overflow", Refused, "10000000000000000SIZE\r\n"),
        ("nearly overflow", Refused, "ffffffffffffffff0\r\n"),
        ("bare LF", Refused, "SIZE\n"),
        ("bare CR", Refused, "SIZE\r"),
        ("LF in an extension", Refused, "SIZE;a\nb\r\n"),
        ("CR in an extension", Refused, "SIZE;a\rb\r\n"),
        ("NUL in an extension", Refused, "SIZE;a\0b\r\n"),
        ("nothing", Refused, "\r\n"),
        ("not a digit", Refused, "SIZEg\r\n"),
        ("a space behind", Once, "SIZE \r\n"),
        ("leading zeros", Once, "0000SIZE\r\n"),
        ("an extension", Once, "SIZE;a=b\r\n"),
        ("a quoted extension", Once, "SIZE;a=\"b;0\"\r\n"),
    ] {
        let size = |hidden: &str| size.replace("SIZE", &format!("{:x}", hidden.len()));
        table.add(&format!("chunk size, {name}"), verdict, POST, chunked, |hidden| {
            format!("{}{hidden}\r\n0\r\n\r\n", size(hidden))
        });
    }
    table.add("a chunk without its end", Refused, POST, chunked, |hidden| format!("1\r\nxx\r\n0\r\n\r\n{hidden}"));
    table.add("LF behind a chunk", Refused, POST, chunked, |hidden| format!("1\r\nx\n0\r\n\r\n{hidden}"));
    // Nothing of what follows the last chunk is a request before an empty line.
    table.add("LF behind the last chunk", Once, POST, chunked, |hidden| format!("0\r\n\n{hidden}"));
    table.add("a trailer", Once, POST, chunked, |hidden| format!("0\r\nContent-Length: 9\r\n{hidden}"));
    table.add("a GET with chunks", Once, GET, chunked, in_a_chunk);
    table.add("a HEAD with chunks", Once, &GET.replace("GET", "HEAD"), chunked, in_a_chunk);
}

fn lines(table: &mut Table<'_>) {
    use Verdict::Refused;
    for line in [
        "X: a\r\n b",
        "X: a\rb",
        "X: a\0b",
        "X : a",
        "X\t: a",
        "X",
        ": a",
        "X\u{b}: a",
        "X(: a",
        "Host: y",
        "X: a\r\r\n",
        "\u{e9}: a",
        "X: a\u{7f}",
    ] {
        table.add("a line", Refused, GET, &format!("{line}\r\nContent-Length: LENGTH"), bare);
    }
    for start in [
        "GET  /api/v1/external/subscribers HTTP/1.1",
        "GET\t/api/v1/external/subscribers HTTP/1.1",
        "GET /api/v1/external/subscribers HTTP/1.1 ",
        "GET /api/v1/external/subscribers HTTP/1.10",
        "GET /api/v1/external/subscribers HTTP/2.0",
        "GET /api/v1/external/subscribers http/1.1",
        "GET /api/v1/external/subscribers",
        "GET /api/v1/external/sub scribers HTTP/1.1",
        "GET /api/v1/external/subscribers\0 HTTP/1.1",
        "G\0ET /api/v1/external/subscribers HTTP/1.1",
        "GET /api/v1/external/subscribers HTTP/1.1\r\n X: y",
        "GET HTTP/1.1",
        "\u{1}GET /api/v1/external/subscribers HTTP/1.1",
    ] {
        table.add(&format!("a start, {start:?}"), Refused, start, "Content-Length: LENGTH", bare);
    }
}

fn unusual(table: &mut Table<'_>) {
    use Verdict::{Once, Refused};
    table.whole("0.9", Refused, "GET /api/v1/external/subscribers\r\nHIDDEN");
    table.whole("HTTP/2 by itself", Refused, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nHIDDEN");
    table.whole("no Host", Refused, "GET /api/v1/external/subscribers HTTP/1.1\r\nX-API-Key: KEY\r\n\r\nHIDDEN");
    let absolute = "POST http://other.example/api/v1/external/subscribers HTTP/1.1";
    table.add("an absolute target", Once, absolute, "Content-Length: LENGTH", bare);
    for line in [
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Connection: Content-Length",
        "Connection: close, X-API-Key, Content-Length",
        "Expect: 100-continue",
        "Expect: 100-continue, 100-continue",
        "Expect: x 100-continue",
        "Expect: y=\"100-continue",
        "Content-Encoding: chunked",
        "TE: trailers, chunked",
        "Trailer: Content-Length",
    ] {
        table.add("beside a length", Once, POST, &format!("{line}\r\nContent-Length: LENGTH"), bare);
        table.add("beside a length, GET", Once, GET, &format!("{line}\r\nContent-Length: LENGTH"), bare);
    }
    table.add(
        "Expect and both",
        Refused,
        POST,
        "Expect: 100-continue\r\nContent-Length: LENGTH\r\nTransfer-Encoding: chunked",
        after_no_chunk,
    );
    table.add("CONNECT", Once, "CONNECT x:80 HTTP/1.1", "Content-Length: LENGTH", bare);
}
