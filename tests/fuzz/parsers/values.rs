//! Single values: of a body's field, a query's parameter, a cell, an option of the command line.

use std::net::IpAddr;

use panel::cli::values as command_line;
use panel::domain::addresses::{AllowList, ForwardingHeader, Peer, client_ip, parse_network};
use panel::domain::keys::{self, BillingScope, Level, Permission, Scope, parse_permissions};
use panel::domain::money::Money;
use panel::domain::packages::PackageName;
use panel::domain::passwords::Password;
use panel::domain::services::{self, Period};
use panel::domain::sheets::{protect, unprotect};
use panel::domain::subscribers::{self, Login};
use panel::domain::time::{Date, Timestamp};
use panel::domain::users::{Email, Role, Username, fold};
use panel::domain::{accounts, encoding, features, nas, quotas, text, transactions};
use serde_json::Value;

use super::{Parser, taken, text as as_text};

pub const MONEY: Parser = Parser {
    name: "money",
    check: |data| {
        let text = as_text(data);
        if let Some(money) = Money::parse(text) {
            assert!(money.0 >= 0, "{text:?}");
            assert_eq!(Money::parse(&money.decimal()), Some(money), "{text:?}");
            // The whole part is that of the text, whatever its size.
            let whole = text.split('.').next().unwrap_or_default().trim_start_matches('0');
            assert_eq!(money.decimal().split('.').next().unwrap_or_default().trim_start_matches('0'), whole);
        }
        if let Some(money) = Money::parse_signed(text) {
            assert_eq!(Money::parse_signed(&money.decimal()), Some(money), "{text:?}");
        }
        if let Some(price) = taken("price", services::parse_price("price", text)) {
            assert!((Money(0)..=transactions::HIGHEST).contains(&price));
        }
        if let Some(amount) = taken("amount", transactions::parse_amount("amount", text)) {
            assert!((Money(1)..=transactions::HIGHEST).contains(&amount));
        }
        let kind = taken("type", transactions::Kind::parse("type", text));
        assert!(kind.is_none_or(|kind| kind.as_str() == text), "{text:?}");
    },
    examples: &[b"25.00", b"0.05", b"-12.5", b"9999999.99", b"92233720368547758.07", b"1e3", b"payment"],
};

pub const TIMES: Parser = Parser {
    name: "times",
    check: |data| {
        let text = as_text(data);
        if let Some(at) = Timestamp::parse_rfc3339(text) {
            let second = Timestamp(at.millis() - at.millis().rem_euclid(Timestamp::SECOND));
            assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339()), Some(second), "{text:?}");
            assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339_millis()), Some(at), "{text:?}");
            assert!(!at.http_date().is_empty() && !at.compact().is_empty());
        }
        for zone in [chrono_tz::Tz::UTC, chrono_tz::Tz::Asia__Beirut, chrono_tz::Tz::Pacific__Apia] {
            let Some(at) = taken("since", Timestamp::parse_instant("since", text, zone)) else { continue };
            assert!(!at.rfc3339_in(zone).is_empty());
            taken("expires_at", keys::check_expiry("expires_at", at, Timestamp(0)));
        }
        let Some(date) = taken("expiry_date", Date::parse("expiry_date", text)) else { return };
        assert_eq!((Date::parse("", &date.iso()), Date::from_days(date.days())), (Ok(date), Some(date)));
        assert_eq!(date.iso(), text[..10]);
        assert!(date.month_start() <= date);
        for zone in [chrono_tz::Tz::UTC, chrono_tz::Tz::Asia__Beirut, chrono_tz::Tz::Pacific__Apia] {
            let (begins, ends) = (date.start_in(zone), date.last_second_in(zone).plus_millis(Timestamp::SECOND));
            // A day that a zone left out (Apia, 2011-12-30) is over when it begins.
            assert!(begins <= ends && ends.millis() - begins.millis() <= 26 * Timestamp::HOUR, "{text:?} in {zone}");
        }
        for unit in ["day", "month"] {
            let Ok(period) = Period::parse("period", 3650, unit) else { panic!("{unit}") };
            assert!(period.after(date).is_none_or(|later| later > date));
        }
    },
    examples: &[
        b"2026-12-31",
        b"1970-01-01",
        b"9999-12-31",
        b"2011-12-30",
        b"2026-11-23T04:32:00Z",
        b"2026-11-23t04:32:00.123456789+23:59",
        b"0000-01-01T00:00:00+23:59",
        b"9999-12-31T23:59:60-23:59",
    ],
};

pub const NAMES: Parser = Parser {
    name: "names",
    check: |data| {
        let given = as_text(data);
        let is_kept = |kept: &str, key: &str, most: usize| {
            assert_eq!((kept, key), (given, fold(given).as_str()));
            assert!((1..=most).contains(&given.chars().count()) && !given.chars().any(text::is_unseen), "{given:?}");
        };
        taken("username", Username::parse("username", given)).inspect(|name| is_kept(name.as_str(), &name.key(), 32));
        taken("email", Email::parse("email", given)).inspect(|name| is_kept(name.as_str(), &name.key(), 254));
        taken("login", Login::parse("login", given)).inspect(|name| is_kept(name.as_str(), &name.key(), 100));
        let package = taken("package", PackageName::parse("package", given));
        package.inspect(|name| is_kept(name.as_str(), &name.key(), 64));
        taken("name", keys::parse_name("name", given)).inspect(|name| is_kept(name, &fold(name), 64));
        taken("name", services::parse_name("name", given)).inspect(|name| is_kept(name, &fold(name), 100));
        assert_eq!(fold(&fold(given)), fold(given), "{given:?}");
        if let Some(mac) = taken("mac", subscribers::mac_address("mac", given)) {
            assert_eq!((mac.len(), subscribers::mac_address("mac", &mac)), (17, Ok(mac)));
        }
    },
    examples: &[
        b"user.name-1",
        b"user1234@example.lb",
        "Größe 100 Mbit".as_bytes(),
        b"aa:bb:cc:dd:ee:ff",
        b"AA-BB-CC-DD-EE-FF",
        "İΣς".as_bytes(),
        "a\u{202e}b".as_bytes(),
    ],
};

pub const TEXTS: Parser = Parser {
    name: "texts",
    check: |data| {
        let given = as_text(data);
        use subscribers::Text;
        for (of, field) in [
            (Text::FullName, "full_name"),
            (Text::Phone, "phone"),
            (Text::Address, "address"),
            (Text::Email, "email"),
            (Text::Note, "note"),
        ] {
            taken(field, of.parse(given)).inspect(|kept| assert_eq!(kept, given));
        }
        use accounts::Text as Account;
        for (of, field) in [
            (Account::FullName, "full_name"),
            (Account::Phone, "phone"),
            (Account::Company, "company"),
            (Account::BillingId, "billing_id"),
            (Account::Reason, "reason"),
        ] {
            taken(field, of.parse(given)).inspect(|kept| assert_eq!(kept.as_deref().unwrap_or_default(), given));
        }
        taken("external_id", subscribers::external_id("external_id", given)).inspect(|kept| assert_eq!(kept, given));
        // What a router is told must fit into its protocol.
        let fits = |()| assert!((1..=128).contains(&given.len()) && !given.contains(char::is_control), "{given:?}");
        taken("password", subscribers::password("password", given)).map(fits);
        taken("secret", nas::secret("secret", given)).map(fits);
        let password = taken("password", Password::parse("password", given));
        assert!(password.is_none() || (8..=128).contains(&given.chars().count()));

        let masked = text::without_secrets(given);
        assert_eq!(text::may_hold_secret(given), masked != given, "{given:?}");
        for beginning in ["pk_live_", "wsp_", "nps_", ".eyJ"] {
            let after = masked.match_indices(beginning).map(|(at, _)| &masked[at + beginning.len()..]);
            after.for_each(|rest| assert!(rest.starts_with("***"), "{given:?} is masked as {masked:?}"));
        }
        for most in [0, 1, 16, 512] {
            let beginning = text::beginning(given, most);
            assert!(given.starts_with(beginning) && beginning.chars().count() <= most);
        }
        let held = protect(given);
        assert!(!held.starts_with(['=', '+', '-', '@', '\t', '\r']), "{held:?}");
        assert_eq!(unprotect(&held), given);
    },
    examples: &[
        b"John Customer",
        b"+961 70 123456",
        b"two\nlines\tand a tab",
        b"correct horse battery",
        b"/x/pk_live_a8f3kj92/wsp_1wsp_2",
        b"wsp_pk_live_a8f3kj92nps_x.eyJzdWI",
        b"'=1+1",
        b"wwsp_sp_a",
    ],
};

pub const NETWORKS: Parser = Parser {
    name: "networks",
    check: |data| {
        let text = as_text(data);
        if let Some(network) = parse_network(text) {
            assert_eq!(parse_network(&network.to_string()), Some(network), "{text:?}");
            assert_eq!(network, network.trunc());
            assert!(network.contains(&network.network()) && network.contains(&network.broadcast()));
        }
        if let Some(kept) = taken("ip_address", nas::parse_ip_address("ip_address", text)) {
            assert_eq!(nas::parse_ip_address("ip_address", &kept), Ok(kept));
        }
        let Some(list) = taken("allowed_ips", AllowList::parse("allowed_ips", text.split(','))) else { return };
        assert_eq!(AllowList::from_text(&list.to_text()), Ok(list.clone()), "{text:?}");
        let strings = list.to_strings();
        assert_eq!(AllowList::parse("", strings.iter().map(String::as_str)), Ok(list.clone()));
        assert!(list.is_subset_of(&list) && !list.allows(None) && list.len() <= 100);
        for network in list.iter() {
            assert!(list.allows(Some(network.addr())));
        }
        let mut rest = list.clone();
        for entry in &strings {
            assert_eq!(rest.remove("", entry), Ok(()));
        }
        assert!(rest.is_empty());
    },
    examples: &[
        b"192.0.2.1",
        b"10.0.0.0/8,192.168.10.203",
        b"2001:db8::/32, ::ffff:192.0.2.0/120",
        b"::ffff:0.0.0.0/95",
        b"0.0.0.0/0",
    ],
};

/// Lines of a header, parted by line breaks.
pub const FORWARDED: Parser = Parser {
    name: "forwarded",
    check: |data| {
        let trusted = [parse_network("10.0.0.0/8"), parse_network("fd00::/8")].map(Option::unwrap_or_default);
        let lines = || data.split(|byte| *byte == b'\n');
        let stranger = IpAddr::from([203, 0, 113, 7]);
        for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
            assert_eq!(client_ip(Peer::Ip(stranger), &trusted, lines(), header), Some(stranger));
            for peer in [Peer::UnixSocket, Peer::Ip(IpAddr::from([10, 0, 0, 1]))] {
                let seen = client_ip(peer, &trusted, lines(), header);
                assert!(seen.is_none_or(|ip| ip == ip.to_canonical()), "{seen:?}");
                // What the nearest proxy wrote in a line of its own is what counts.
                let named = lines().chain([match header {
                    ForwardingHeader::XForwardedFor => &b"198.51.100.9"[..],
                    ForwardingHeader::Forwarded => b"for=198.51.100.9",
                }]);
                let named = client_ip(peer, &trusted, named.collect::<Vec<_>>().into_iter(), header);
                assert_eq!(named, Some(IpAddr::from([198, 51, 100, 9])));
            }
        }
    },
    examples: &[
        b"198.51.100.9, 10.0.0.2",
        b"for=198.51.100.9;proto=https, for=\"[fd00::1]:443\"",
        b"for=\"_hidden\\\"\", for=unknown",
        b"198.51.100.9:1234\n10.0.0.2, 10.0.0.3",
        b"::ffff:198.51.100.9",
    ],
};

pub const VOCABULARY: Parser = Parser {
    name: "vocabulary",
    check: |data| {
        let text = as_text(data);
        // A word is read as itself; only a level in any letter case, and by an older name.
        let words = [
            Scope::parse(text).map(Scope::as_str),
            BillingScope::parse(text).map(BillingScope::as_str),
            Permission::parse(text).map(Permission::as_str),
            Role::parse(text).map(Role::as_str),
            features::Feature::parse(text).map(features::Feature::as_str),
            quotas::Quota::parse(text).map(quotas::Quota::as_str),
        ];
        assert!(words.into_iter().flatten().all(|word| word == text), "{text:?}");
        let level = Level::parse(text);
        assert!(level.is_none_or(|level| Level::parse(level.as_str()) == Some(level)), "{text:?}");
        let Some((list, warnings)) = taken("permissions", parse_permissions("permissions", text.split(','))) else {
            return;
        };
        let words = || list.iter().map(|permission| permission.as_str());
        assert_eq!(parse_permissions("", words()), Ok((list.clone(), Vec::new())));
        assert!(warnings.iter().all(|warning| super::is_one_line(warning)));
    },
    examples: &[
        b"read",
        b"full_access",
        b"super_admin",
        b"Viewer",
        b"domains,databases.write,all",
        b"users.read",
        b"max_users",
        b"sysinfo",
    ],
};

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
    }
}

pub const METADATA: Parser = Parser {
    name: "metadata",
    check: |data| {
        let text = as_text(data);
        let Some(kept) = taken("metadata", accounts::metadata(text)) else { return };
        assert_eq!(kept, text);
        assert!(text.len() <= 16 * 1024 && !text.contains('\0'));
        let read = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        assert!(matches!(read, Value::Object(_)) && !holds_nul(&read), "{text:?}");
    },
    examples: &[br#"{"plan":"gold","n":12345678901234567890123,"a":[1.10,{"b":null}]}"#, br#"{"a":"\u0000"}"#, b"{}"],
};

pub const ENCODED: Parser = Parser {
    name: "encoded",
    check: |data| {
        assert_eq!(encoding::from_base64url(&encoding::base64url(data)).as_deref(), Some(data));
        if let Some(bytes) = encoding::from_base64url(as_text(data)) {
            assert_eq!(encoding::base64url(&bytes), as_text(data));
        }
        assert_eq!(encoding::hex(data).len(), 2 * data.len());
    },
    examples: &[b"", b"AAAA", b"_-8", b"Zm9vYmFy", b"AB"],
};

pub const COMMAND_LINE: Parser = Parser {
    name: "command_line",
    check: |data| {
        let text = as_text(data);
        let refused = |why: &String| assert!(super::is_one_line(why), "{why:?}");
        text.parse::<command_line::Feature>().inspect_err(refused).ok();
        if let Ok(quota) = text.parse::<command_line::Quota>().inspect_err(refused) {
            assert!(quota.value.is_none_or(|value| quota.quota.check(value) == Ok(value)), "{text:?}");
        }
        if let Some(millis) = command_line::duration_millis(text) {
            assert!(millis >= 0 && millis % Timestamp::MINUTE == 0, "{text:?}");
        }
    },
    examples: &[b"api=on", b"ssh=inherit", b"max_users=50", b"disk_quota_mb=unlimited", b"24h", b"0", b"106751991167d"],
};
