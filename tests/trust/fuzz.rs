//! Every parser of what comes from outside, with random input; the long form has cargo-fuzz grow it by coverage.

mod coverage;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::parsers::{ALL, Parser};
use crate::size;

/// An example with bytes taken out and others put in, some of them from another example.
fn grown(parser: &'static Parser) -> impl Strategy<Value = Vec<u8>> {
    let example = || select(parser.examples).prop_map(<[u8]>::to_vec);
    let cuts = || select(&b"\0\n\r\t \"%&'+,-./0123456789:;=@AETZ[]_ez{}\x80\xff"[..]).prop_map(|byte| vec![byte]);
    let part = (example(), any::<Index>(), any::<Index>()).prop_map(|(text, from, to)| {
        let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
        text[from.min(to)..from.max(to)].to_vec()
    });
    let any_char = any::<char>().prop_map(|c| c.to_string().into_bytes());
    let new = prop_oneof![Just(Vec::new()), cuts(), cuts(), part, any_char, vec(any::<u8>(), 1..4)];
    let change = (any::<Index>(), 0..4_usize, new);
    (example(), vec(change, 0..6)).prop_map(|(mut text, changes)| {
        for (at, out, new) in changes {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + out);
            text.splice(at..end, new);
        }
        text
    })
}

fn input(parser: &'static Parser) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => ".{0,60}".prop_map(String::into_bytes),
        6 => grown(parser),
    ]
}

/// What makes it fail, as small as it was found.
fn failing(parser: &'static Parser, cases: u32) -> Option<String> {
    let seed = std::env::var("PANEL_TRUST_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    let config = Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::default() };
    let outcome = TestRunner::new(config).run(&input(parser), |data| {
        (parser.check)(&data);
        Ok(())
    });
    match outcome {
        Ok(()) => None,
        Err(TestError::Fail(why, data)) => Some(format!("{}: b\"{}\": {why}", parser.name, data.escape_ascii())),
        Err(error) => Some(format!("{}: {error}", parser.name)),
    }
}

#[test]
fn no_input_breaks_a_parser() {
    for parser in &ALL {
        parser.examples.iter().for_each(|example| (parser.check)(example));
        let failing = failing(parser, size::of(2_000, 200_000));
        assert!(failing.is_none(), "{}", failing.unwrap_or_default());
    }
}

/// What found something once.
#[test]
fn what_broke_a_parser_breaks_none() {
    for (name, data) in FOUND {
        crate::parsers::check(name, data);
    }
}

const FOUND: &[(&str, &[u8])] = &[
    ("times", b"2011-12-30"),
    ("times", b"9999-12-31T23:59:60-23:59"),
    ("sheets", b"username\ra\rb"),
    ("bodies", br#"{"nu\u0008me": 1, "nu\u0008me": 1}"#),
    ("metadata", br#"{"a":"\\u0000{u00%%00}%"}"#),
];

/// Growing the examples does reach what is taken only when several parts of it are right.
#[test]
fn a_parser_that_breaks_far_inside_would_be_found() {
    const PLANTED: Parser = Parser {
        name: "planted",
        check: |data| {
            if let Some(rest) = data.strip_prefix(b"listen = ") {
                assert!(!rest.starts_with(b"[") || !rest.ends_with(b"]") || !rest.contains(&b','), "taken for two");
            }
        },
        examples: &[b"listen = [a]", b"listen = a,"],
    };
    static PARSER: Parser = PLANTED;
    let found = failing(&PARSER, 5_000);
    assert!(found.as_deref().is_some_and(|found| found.contains("taken for two")), "{found:?}");
}
