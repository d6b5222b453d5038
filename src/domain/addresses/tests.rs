//! Tables of what is read and refused, and properties that hold for any input.

use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::ForwardingHeader::{Forwarded, XForwardedFor};
use super::client::MAX_LINE;
use super::*;

/// The proxies that the tables trust.
const TRUSTED: [&str; 4] = ["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48", "::ffff:192.168.7.0/120"];

const PROXY: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address in a table")
}

fn trusted() -> Vec<IpNet> {
    TRUSTED.iter().map(|text| parse_network(text).expect("a network in a table")).collect()
}

fn seen(peer: &str, header: ForwardingHeader, lines: &[&[u8]]) -> Option<IpAddr> {
    let peer = if peer == "unix" { Peer::UnixSocket } else { Peer::Ip(ip(peer)) };
    client_ip(peer, &trusted(), lines.iter().copied(), header)
}

fn check(header: ForwardingHeader, table: &[(&str, &[&str], Option<&str>)]) {
    for (peer, lines, expected) in table {
        let lines_as_bytes: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(
            seen(peer, header, &lines_as_bytes),
            expected.map(ip),
            "peer {peer}, {} lines {lines:?}",
            header.name()
        );
    }
}

#[test]
fn the_client_is_found_in_x_forwarded_for() {
    check(
        XForwardedFor,
        &[
            // An untrusted peer is the client, whatever it claims.
            ("203.0.113.9", &[], Some("203.0.113.9")),
            ("203.0.113.9", &["198.51.100.7"], Some("203.0.113.9")),
            ("203.0.113.9", &["10.0.0.1"], Some("203.0.113.9")),
            ("203.0.113.9", &["garbage"], Some("203.0.113.9")),
            ("2001:db8::9", &["198.51.100.7"], Some("2001:db8::9")),
            ("::ffff:203.0.113.9", &["198.51.100.7"], Some("203.0.113.9")),
            // Forms of one hop.
            (PROXY, &["198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["198.51.100.7:5678"], Some("198.51.100.7")),
            (PROXY, &["2001:db8::1"], Some("2001:db8::1")),
            (PROXY, &["[2001:db8::1]"], Some("2001:db8::1")),
            (PROXY, &["[2001:db8::1]:443"], Some("2001:db8::1")),
            (PROXY, &["::ffff:198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["[::ffff:198.51.100.7]:443"], Some("198.51.100.7")),
            (PROXY, &[" \t198.51.100.7\t "], Some("198.51.100.7")),
            ("::ffff:10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("192.168.7.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("2001:db8:ffff::1", &["198.51.100.7"], Some("198.51.100.7")),
            ("unix", &["198.51.100.7"], Some("198.51.100.7")),
            // Chains: what the client made up stands to the left.
            (PROXY, &["1.1.1.1, 198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["1.1.1.1, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["198.51.100.7,10.0.0.2,127.0.0.1,[2001:db8:ffff::2]:80"], Some("198.51.100.7")),
            (PROXY, &["198.51.100.7, ::ffff:10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["garbage, 198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["\u{1}\u{2}é\", 198.51.100.7"], Some("198.51.100.7")),
            ("unix", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            // Lines are one list.
            (PROXY, &["1.1.1.1", "198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["1.1.1.1, 198.51.100.7", "10.0.0.3, 10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["198.51.100.7", "", "10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["garbage", "10.0.0.2"], None),
            // All trusted: the leftmost.
            (PROXY, &["10.0.0.3"], Some("10.0.0.3")),
            (PROXY, &["10.0.0.4, 10.0.0.3", "10.0.0.2"], Some("10.0.0.4")),
            (PROXY, &["10.0.0.4", "", "10.0.0.3"], Some("10.0.0.4")),
            ("unix", &["127.0.0.1"], Some("127.0.0.1")),
            // Empty elements are no hops.
            (PROXY, &[", 198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["198.51.100.7,, ,10.0.0.2,"], Some("198.51.100.7")),
            // Nothing to go by.
            (PROXY, &[], None),
            ("unix", &[], None),
            (PROXY, &[""], None),
            (PROXY, &[",, ,"], None),
            // Hops that cannot be read.
            (PROXY, &["garbage"], None),
            (PROXY, &["198.51.100.7, garbage"], None),
            (PROXY, &["198.51.100.7, unknown, 10.0.0.2"], None),
            ("unix", &["198.51.100.7, unix:"], None),
            (PROXY, &["198.51.100.7 10.0.0.2"], None),
            (PROXY, &["198.51.100.7;10.0.0.2"], None),
            (PROXY, &["\"198.51.100.7\""], None),
            (PROXY, &["for=198.51.100.7"], None),
            (PROXY, &["198.51.100.7/32"], None),
            (PROXY, &["198.51.100.7:"], None),
            (PROXY, &["198.51.100.7:65536"], None),
            (PROXY, &["198.51.100.7:+80"], None),
            (PROXY, &["198.51.100.7:000080"], None),
            (PROXY, &["198.51.100.7:_hidden"], None),
            (PROXY, &["198.51.100.7:80:80"], None),
            (PROXY, &["198.51.100.07"], None),
            (PROXY, &["198.51.100"], None),
            (PROXY, &["198.51.100.256"], None),
            (PROXY, &["3325256711"], None),
            (PROXY, &["[198.51.100.7]"], None),
            (PROXY, &["[2001:db8::1"], None),
            (PROXY, &["[2001:db8::1]443"], None),
            (PROXY, &["[]"], None),
            (PROXY, &["["], None),
            (PROXY, &["]"], None),
            (PROXY, &[":"], None),
            (PROXY, &["[[2001:db8::1]]"], None),
            (PROXY, &["fe80::1%eth0"], None),
            (PROXY, &["[fe80::1%1]:443"], None),
            (PROXY, &["198.51.100.7\0"], None),
            (PROXY, &["198.51.100.7\r"], None),
            (PROXY, &["198.51.100.7\u{a0}"], None),
            (PROXY, &["١٩٨.51.100.7"], None),
        ],
    );
}

#[test]
fn the_client_is_found_in_forwarded() {
    check(
        Forwarded,
        &[
            ("203.0.113.9", &["for=198.51.100.7"], Some("203.0.113.9")),
            ("203.0.113.9", &["for=\""], Some("203.0.113.9")),
            // Forms of one hop.
            (PROXY, &["for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["For=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["FOR=\"198.51.100.7\""], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7;proto=https;by=203.0.113.43"], Some("198.51.100.7")),
            (PROXY, &["proto=https;by=10.0.0.1;for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7; proto=https ;\thost=a"], Some("198.51.100.7")),
            (PROXY, &[";;for=198.51.100.7;"], Some("198.51.100.7")),
            (PROXY, &["for=\"198.51.100.7:4711\""], Some("198.51.100.7")),
            (PROXY, &["for=\"198.51.100.7:_port\""], Some("198.51.100.7")),
            (PROXY, &["for=\"[2001:db8::1]\""], Some("2001:db8::1")),
            (PROXY, &["for=\"[2001:db8::1]:4711\""], Some("2001:db8::1")),
            (PROXY, &["for=\"[::ffff:198.51.100.7]\""], Some("198.51.100.7")),
            (PROXY, &["for=\"\\1\\98.51.100.7\""], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7:4711"], Some("198.51.100.7")),
            (PROXY, &["for=[2001:db8::1]:4711;proto=http"], Some("2001:db8::1")),
            ("unix", &["for=198.51.100.7"], Some("198.51.100.7")),
            // Quoted strings hold separators.
            (PROXY, &["for=198.51.100.7;host=\"a,b;for=1.1.1.1\""], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7;host=\", for=1.1.1.1;x=\""], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7;host=\"a\\\", for=1.1.1.1\""], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7;host=\"a\\\\\", for=10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7;host=\"\""], Some("198.51.100.7")),
            // Chains, lines, all trusted.
            (PROXY, &["for=1.1.1.1, for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["for=1.1.1.1, for=198.51.100.7;proto=https,for=\"10.0.0.2:80\""], Some("198.51.100.7")),
            (PROXY, &["for=unknown, for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["no grammar at all, for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["for=198.51.100.7,, ,", "for=10.0.0.2"], Some("198.51.100.7")),
            (PROXY, &["for=1.1.1.1", "for=198.51.100.7, for=\"[2001:db8:ffff::2]\""], Some("198.51.100.7")),
            (PROXY, &["for=10.0.0.4, for=10.0.0.3", "for=10.0.0.2"], Some("10.0.0.4")),
            // A string the client leaves open ends with its line, and within a line costs it its own address.
            (PROXY, &["for=\"1.1.1.1", "for=198.51.100.7"], Some("198.51.100.7")),
            (PROXY, &["for=\"1.1.1.1, for=198.51.100.7"], None),
            (PROXY, &["for=1.1.1.1;x=\", for=\"198.51.100.7\""], None),
            (PROXY, &["for=1.1.1.1;x=\", for=198.51.100.7;by=\"[::1]\""], None),
            (PROXY, &["for=1.1.1.1;x=\"\\, for=\"198.51.100.7\""], None),
            // Nothing to go by.
            (PROXY, &[], None),
            (PROXY, &[""], None),
            (PROXY, &[" , ,"], None),
            (PROXY, &[";"], None),
            (PROXY, &["proto=https"], None),
            (PROXY, &["for=198.51.100.7, proto=https"], None),
            // Hops that cannot be read.
            (PROXY, &["198.51.100.7"], None),
            (PROXY, &["for=unknown"], None),
            (PROXY, &["for=198.51.100.7, for=_hidden"], None),
            (PROXY, &["for=\"_gazonk\""], None),
            (PROXY, &["for="], None),
            (PROXY, &["for=\"\""], None),
            (PROXY, &["for=\""], None),
            (PROXY, &["for=\"\\\""], None),
            (PROXY, &["for =198.51.100.7"], None),
            (PROXY, &["for= 198.51.100.7"], None),
            (PROXY, &["=198.51.100.7"], None),
            (PROXY, &["for=198.51.100.7;proto"], None),
            (PROXY, &["for=198.51.100.7;host=a b"], None),
            (PROXY, &["for=198.51.100.7;host=\"a\"b"], None),
            (PROXY, &["for=198.51.100.7;host=\"a\"\"b\""], None),
            (PROXY, &["for=198.51.100.7;for=1.1.1.1"], None),
            (PROXY, &["for=198.51.100.7;FOR=198.51.100.7"], None),
            (PROXY, &["for=\"2001:db8::1\""], None),
            (PROXY, &["for=2001:db8::1"], None),
            (PROXY, &["for=\"[fe80::1%eth0]\""], None),
            (PROXY, &["for=\" 198.51.100.7\""], None),
            (PROXY, &["for=\"198.51.100.7:_\""], None),
            (PROXY, &["for=\"198.51.100.7:_a b\""], None),
            (PROXY, &["for=198.51.100.7;host=\"\u{1}\""], None),
            (PROXY, &["for=198.51.100.7;host=\"é\""], None),
            (PROXY, &["for=198.51.100.7;hé=a"], None),
            (PROXY, &["for=\"198.51.100.7\\\u{7f}\""], None),
        ],
    );
}

#[test]
fn the_header_that_is_not_configured_has_no_say() {
    // The caller hands over one header; its values are never taken for the other's.
    assert_eq!(seen(PROXY, XForwardedFor, &[b"for=1.1.1.1"]), None);
    assert_eq!(seen(PROXY, Forwarded, &[b"1.1.1.1"]), None);
}

#[test]
fn bytes_that_are_no_text_are_no_hop() {
    assert_eq!(seen(PROXY, XForwardedFor, &[b"\xff\xfe"]), None);
    assert_eq!(seen(PROXY, XForwardedFor, &[b"\xff, 198.51.100.7"]), Some(ip("198.51.100.7")));
    assert_eq!(seen(PROXY, Forwarded, &[b"for=\"\xff\""]), None);
    assert_eq!(seen(PROXY, Forwarded, &[b"for=1.1.1.1;host=\"\xff\""]), None);
}

#[test]
fn a_line_over_8_kib_means_no_ip_once_it_is_reached() {
    let fits = format!("{}198.51.100.7", " ".repeat(MAX_LINE - 12));
    let long = format!(" {fits}");

    assert_eq!(seen(PROXY, XForwardedFor, &[fits.as_bytes()]), Some(ip("198.51.100.7")));
    assert_eq!(seen(PROXY, XForwardedFor, &[long.as_bytes()]), None);
    assert_eq!(seen(PROXY, XForwardedFor, &[long.as_bytes(), b"10.0.0.2"]), None);
    assert_eq!(seen(PROXY, XForwardedFor, &[long.as_bytes(), b"198.51.100.8"]), Some(ip("198.51.100.8")));
}

#[test]
fn trusted_networks_may_be_written_as_mapped_addresses() {
    let written_as_is = ["::ffff:10.0.0.0/104".parse().expect("a network")];

    let client = client_ip(Peer::Ip(ip(PROXY)), &written_as_is, [&b"198.51.100.7"[..]].into_iter(), XForwardedFor);

    assert_eq!(client, Some(ip("198.51.100.7")));
}

#[test]
fn nobody_is_trusted_by_default_but_a_unix_socket() {
    let lines = || [&b"198.51.100.7, 10.0.0.2"[..]].into_iter();

    assert_eq!(client_ip(Peer::Ip(ip("127.0.0.1")), &[], lines(), XForwardedFor), Some(ip("127.0.0.1")));
    assert_eq!(client_ip(Peer::UnixSocket, &[], lines(), XForwardedFor), Some(ip("10.0.0.2")));
}

#[test]
fn ipv6_is_counted_by_its_64_bit_prefix() {
    for (address, bucket) in [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::1", "::"),
    ] {
        assert_eq!(per_ip_bucket(ip(address)), ip(bucket), "{address}");
    }
    for (address, site) in [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:db8:1:ffff::1", "2001:db8:1::"),
        ("2001:db8:2::1", "2001:db8:2::"),
    ] {
        assert_eq!(per_site_bucket(ip(address)), ip(site), "{address}");
    }
}

fn list(entries: &[&str]) -> AllowList {
    AllowList::parse("allowed_ips", entries.iter().copied()).expect("a list in a table")
}

#[test]
fn entries_are_kept_in_one_form() {
    for (entries, text) in [
        (&[][..], ""),
        (&["198.51.100.7"], "198.51.100.7"),
        (&[" 198.51.100.7\t"], "198.51.100.7"),
        (&["198.51.100.7/32"], "198.51.100.7"),
        (&["198.51.100.7/24"], "198.51.100.0/24"),
        (&["0.0.0.0/0"], "0.0.0.0/0"),
        (&["1.2.3.4/0"], "0.0.0.0/0"),
        (&["2001:DB8:0::1"], "2001:db8::1"),
        (&["2001:db8::1/128"], "2001:db8::1"),
        (&["2001:db8::1/32"], "2001:db8::/32"),
        (&["::/0"], "::/0"),
        (&["::ffff:198.51.100.7"], "198.51.100.7"),
        (&["::ffff:198.51.100.7/128"], "198.51.100.7"),
        (&["::ffff:198.51.100.7/120"], "198.51.100.0/24"),
        (&["::ffff:0:0/96"], "0.0.0.0/0"),
        (&["::ffff:0:0/95"], "::fffe:0:0/95"),
        (&["10.0.0.2", "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1"], "10.0.0.2,10.0.0.1"),
        (&["10.0.0.9/24", "10.0.0.0/24", "10.0.0.0"], "10.0.0.0/24,10.0.0.0"),
    ] {
        let list = list(entries);
        assert_eq!(list.to_text(), text, "{entries:?}");
        assert_eq!(list.to_strings().join(","), text, "{entries:?}");
        assert_eq!(list.iter().count(), list.len());
        assert_eq!(list.is_empty(), text.is_empty());
        assert_eq!(AllowList::from_text(text), Ok(list));
    }
}

#[test]
fn a_wrong_entry_is_named() {
    for entry in [
        "",
        " ",
        "*",
        "any",
        "localhost",
        "198.51.100",
        "198.51.100.256",
        "198.51.100.07",
        "198.51.100.7:80",
        "198.51.100.7/",
        "198.51.100.7/33",
        "198.51.100.7/+8",
        "198.51.100.7/-1",
        "198.51.100.7 /8",
        "198.51.100.7/8/8",
        "198.51.100.7/255.255.255.0",
        "198.51.100.7/99999999999999999999",
        "/8",
        "198.51.100.7,198.51.100.8",
        "198.51.100.1-198.51.100.9",
        "2001:db8::/129",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "2001:db8:::1",
    ] {
        let error = AllowList::parse("allowed_ips", ["10.0.0.1", entry]).expect_err(entry);
        assert_eq!(error.field, "allowed_ips");
        assert_eq!(error.problem, format!("has an entry that is not an IP address or CIDR: '{entry}'"));
    }
}

#[test]
fn a_long_or_unprintable_entry_is_named_short_and_escaped() {
    let long = AllowList::parse("allowed_ips", ["x".repeat(1_000_000).as_str()]).expect_err("no address");
    let unprintable = AllowList::parse("allowed_ips", ["\u{1b}[2J\0"]).expect_err("no address");

    assert!(long.problem.ends_with(&format!("'{}…'", "x".repeat(MAX_QUOTED))), "{long}");
    assert!(unprintable.problem.ends_with(r"'\u{1b}[2J\0'"), "{unprintable}");
}

#[test]
fn a_list_holds_100_different_networks() {
    let entries: Vec<String> = (0..=MAX_ENTRIES).map(|host| format!("10.0.0.{host}")).collect();
    let parse = |entries: &[String]| AllowList::parse("allowed_ips", entries.iter().map(String::as_str));

    let mut full = parse(&entries[..MAX_ENTRIES]).expect("100 fit");
    assert_eq!(full.len(), MAX_ENTRIES);
    assert_eq!(full.add("allowed_ips", "10.0.0.5"), Ok(false));
    assert_eq!(parse(&[&entries[..MAX_ENTRIES], &entries[..5]].concat()), Ok(full));
    assert_eq!(parse(&entries), Err(Invalid::new("allowed_ips", "must have at most 100 entries")));
}

#[test]
fn entries_come_and_go_by_equal_network() {
    let mut list = list(&["10.0.0.0/8"]);

    assert_eq!(list.add("allowed_ips", "198.51.100.7"), Ok(true));
    assert_eq!(list.add("allowed_ips", "::ffff:198.51.100.7"), Ok(false));
    assert_eq!(list.remove("allowed_ips", "10.0.0.1"), Err(Invalid::new("allowed_ips", "does not list 10.0.0.1")));
    assert!(list.remove("allowed_ips", "10.0.0.300").is_err());
    assert_eq!(list.remove("allowed_ips", "10.9.9.9/8"), Ok(()));
    assert_eq!(list.remove("allowed_ips", "10.0.0.0/8"), Err(Invalid::new("allowed_ips", "does not list 10.0.0.0/8")));
    assert_eq!(list.to_text(), "198.51.100.7");
}

#[test]
fn a_list_allows_its_networks_and_an_empty_one_anywhere() {
    for (entries, address, allowed) in [
        (&[][..], Some("198.51.100.7"), true),
        (&[], None, true),
        (&["0.0.0.0/0", "::/0"], None, false),
        (&["198.51.100.7"], Some("198.51.100.7"), true),
        (&["198.51.100.7"], Some("198.51.100.8"), false),
        (&["198.51.100.7"], Some("::ffff:198.51.100.7"), true),
        (&["::ffff:198.51.100.7"], Some("198.51.100.7"), true),
        (&["198.51.100.0/24"], Some("198.51.100.255"), true),
        (&["198.51.100.0/24"], Some("198.51.101.0"), false),
        (&["2001:db8::/32"], Some("2001:db8:ffff::1"), true),
        (&["2001:db8::/32"], Some("2001:db9::1"), false),
        (&["0.0.0.0/0"], Some("2001:db8::1"), false),
        (&["::/0"], Some("198.51.100.7"), false),
        (&["::/0"], Some("::ffff:198.51.100.7"), false),
        (&["10.0.0.1", "2001:db8::1"], Some("2001:db8::1"), true),
    ] {
        assert_eq!(list(entries).allows(address.map(ip)), allowed, "{entries:?} {address:?}");
    }
}

#[test]
fn a_subset_lies_within_the_other_network_by_network() {
    for (narrow, wide, subset) in [
        (&[][..], &[][..], true),
        (&["10.0.0.1"], &[], true),
        (&[], &["10.0.0.1"], false),
        (&[], &["0.0.0.0/0", "::/0"], false),
        (&["10.0.0.1"], &["10.0.0.1"], true),
        (&["10.0.0.1"], &["10.0.0.0/8"], true),
        (&["10.0.0.0/8"], &["10.0.0.1"], false),
        (&["10.0.0.0/9", "10.128.0.0/9"], &["10.0.0.0/8"], true),
        (&["10.0.0.0/8"], &["10.0.0.0/9", "10.128.0.0/9"], false),
        (&["10.0.0.1", "192.0.2.1"], &["10.0.0.0/8"], false),
        (&["::ffff:10.0.0.1"], &["10.0.0.0/8"], true),
        (&["2001:db8::1"], &["10.0.0.0/8", "2001:db8::/32"], true),
        (&["10.0.0.1"], &["::/0"], false),
    ] {
        assert_eq!(list(narrow).is_subset_of(&list(wide)), subset, "{narrow:?} in {wide:?}");
    }
}

#[test]
fn stored_text_that_is_damaged_never_opens_the_key() {
    for text in ["x", ",", "10.0.0.1,", " ", "10.0.0.1;10.0.0.2"] {
        assert!(matches!(AllowList::from_text(text), Err(AppError::Internal(_))), "{text:?}");
    }
}

/// Lines of the pieces that headers are made of, so that quotes, brackets and hops meet in every order.
fn header_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("10.0.0.2"),
        Just("198.51.100.7"),
        Just("2001:db8::1"),
        Just("for="),
        Just("host="),
        Just("\""),
        Just("\\"),
        Just("["),
        Just("]"),
        Just(":"),
        Just("80"),
        Just(";"),
        Just(","),
        Just(" "),
        Just("é"),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

fn header_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..64), header_like()]
}

fn any_header() -> impl Strategy<Value = ForwardingHeader> {
    prop_oneof![Just(XForwardedFor), Just(Forwarded)]
}

/// Networks within one /24, so that they meet often.
fn neighbours() -> impl Strategy<Value = Vec<String>> {
    vec((any::<u8>(), 23u8..=32).prop_map(|(host, prefix)| format!("10.0.0.{host}/{prefix}")), 1..6)
}

fn any_entry() -> impl Strategy<Value = String> {
    let v6 = prop_oneof![any::<u128>(), any::<u32>().prop_map(|v4| 0xffff_0000_0000 | u128::from(v4))];
    prop_oneof![
        (any::<u32>(), 0u8..=32).prop_map(|(bits, prefix)| format!("{}/{prefix}", Ipv4Addr::from_bits(bits))),
        (v6, 0u8..=128).prop_map(|(bits, prefix)| format!("{}/{prefix}", Ipv6Addr::from_bits(bits))),
        any::<IpAddr>().prop_map(|ip| ip.to_string()),
    ]
}

fn parse_all(entries: &[String]) -> AllowList {
    AllowList::parse("allowed_ips", entries.iter().map(String::as_str)).expect("made of networks")
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(lines in vec(header_line(), 0..4), header in any_header()) {
        let client = client_ip(Peer::UnixSocket, &trusted(), lines.iter().map(Vec::as_slice), header);

        prop_assert_eq!(client.map(|ip| ip.to_canonical()), client);
    }

    #[test]
    fn what_an_untrusted_peer_sends_changes_nothing(lines in vec(header_line(), 0..4), header in any_header()) {
        let client = client_ip(Peer::Ip(ip("203.0.113.9")), &trusted(), lines.iter().map(Vec::as_slice), header);

        prop_assert_eq!(client, Some(ip("203.0.113.9")));
    }

    /// The proxy appends its hop to what the client sent, in the same line or in a new one.
    #[test]
    fn a_client_behind_a_proxy_cannot_pass_for_another(
        spoofed in header_line(),
        header in any_header(),
        hop in prop_oneof![
            Just("198.51.100.7"),
            Just("\"198.51.100.7\""),
            Just("\"198.51.100.7:80\";host=\"a\""),
            Just("198.51.100.7;host=\",for=10.0.0.2;y=\""),
            Just("198.51.100.7;host=\"\\\",for=10.0.0.2\\\"\""),
        ],
    ) {
        let appended = match header {
            XForwardedFor => "198.51.100.7".to_owned(),
            Forwarded => format!("for={hop};proto=https"),
        };
        let joined = [&spoofed[..], b", ", appended.as_bytes()].concat();

        let same_line = client_ip(Peer::UnixSocket, &trusted(), [&joined[..]].into_iter(), header);
        let new_line = client_ip(Peer::UnixSocket, &trusted(), [&spoofed[..], appended.as_bytes()].into_iter(), header);

        prop_assert!(same_line.is_none_or(|client| client == ip("198.51.100.7")), "{:?}", same_line);
        prop_assert_eq!(new_line, Some(ip("198.51.100.7")));
    }

    #[test]
    fn every_address_is_read_back_from_both_headers(address in any::<IpAddr>(), port in any::<u16>()) {
        let text = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        for (header, line) in [
            (XForwardedFor, address.to_string()),
            (XForwardedFor, text.clone()),
            (XForwardedFor, format!("{text}:{port}")),
            (Forwarded, format!("for=\"{text}\"")),
            (Forwarded, format!("for=\"{text}:{port}\";proto=https")),
        ] {
            prop_assert_eq!(
                client_ip(Peer::UnixSocket, &[], [line.as_bytes()].into_iter(), header),
                Some(address.to_canonical()),
                "{}", line
            );
        }
    }

    #[test]
    fn a_list_survives_its_text(entries in vec(any_entry(), 0..20)) {
        let list = parse_all(&entries);

        prop_assert_eq!(AllowList::from_text(&list.to_text()), Ok(list.clone()));
        prop_assert_eq!(AllowList::parse("allowed_ips", list.to_strings().iter().map(String::as_str)), Ok(list));
    }

    #[test]
    fn no_text_makes_an_entry_panic(text in any::<String>()) {
        let _ = AllowList::from_text(&text);
        let _ = AllowList::parse("allowed_ips", [text.as_str()]);
    }

    #[test]
    fn whom_a_subset_allows_the_other_allows_too(narrow in neighbours(), wide in neighbours()) {
        let (narrow, wide) = (parse_all(&narrow), parse_all(&wide));
        let missed = (0..512).map(|host| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + host))).any(|ip| {
            narrow.allows(Some(ip)) && !wide.allows(Some(ip))
        });

        if narrow.is_subset_of(&wide) {
            prop_assert!(!missed);
        }
        // With a single network there are no halves to add up, so the answer is exact.
        if wide.len() == 1 {
            prop_assert_eq!(narrow.is_subset_of(&wide), !missed);
        }
    }
}
