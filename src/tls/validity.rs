//! From when to when a certificate is valid: as much of X.509 as it takes to find the two instants.

use crate::domain::time::Timestamp;

/// Both ends included (RFC 5280, 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// Of the version, which the first one left out.
const CONTEXT_0: u8 = 0xa0;

/// `None`: not what RFC 5280 describes.
pub fn of(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut signed, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(signed, CONTEXT_0) {
        signed = rest;
    }
    // The serial number, the algorithm and the issuer stand before it.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, signed) = element(signed, tag)?;
    }
    let (validity, _) = element(signed, SEQUENCE)?;
    let (not_before, rest) = instant(validity)?;
    let (not_after, _) = instant(rest)?;
    Some(Validity { not_before, not_after })
}

/// The content of the first element, which has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        short @ ..0x80 => (usize::from(short), rest),
        // The number of bytes that the length has.
        long => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let fits = (1..=4).contains(&length.len());
            (fits.then(|| length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))?, rest)
        }
    };
    rest.split_at_checked(length)
}

fn instant(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (year, digits, rest) = match (element(bytes, UTC_TIME), element(bytes, GENERALIZED_TIME)) {
        (Some((text, rest)), _) => {
            let (year, digits) = text.split_at_checked(2)?;
            // RFC 5280, 4.1.2.5.1: the century of two digits.
            let century = if number(year)? < 50 { 2000 } else { 1900 };
            (century + number(year)?, digits, rest)
        }
        (None, Some((text, rest))) => {
            let (year, digits) = text.split_at_checked(4)?;
            (number(year)?, digits, rest)
        }
        (None, None) => return None,
    };
    let digits = digits.strip_suffix(b"Z").filter(|digits| digits.len() == 10)?;
    let mut parts = digits.chunks_exact(2).map(number);
    let mut part = || parts.next().flatten();
    let (month, day, hour, minute, second) = (part()?, part()?, part()?, part()?, part()?);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    Some((Timestamp::parse_rfc3339(&text)?, rest))
}

fn number(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["panel.example.net".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(not_before.0, not_before.1, not_before.2);
        parameters.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn both_ways_to_write_an_instant_are_read() {
        for (from, to, not_before, not_after) in [
            ((1975, 1, 1), (2049, 12, 31), "1975-01-01T00:00:00Z", "2049-12-31T00:00:00Z"),
            ((2026, 11, 22), (2050, 1, 1), "2026-11-22T00:00:00Z", "2050-01-01T00:00:00Z"),
            ((2051, 2, 28), (4096, 1, 1), "2051-02-28T00:00:00Z", "4096-01-01T00:00:00Z"),
        ] {
            let validity = of(&certificate(from, to)).unwrap();
            assert_eq!(validity, Validity { not_before: at(not_before), not_after: at(not_after) });
        }
    }

    #[test]
    fn what_is_cut_off_or_changed_is_never_a_panic() {
        let whole = certificate((2026, 1, 1), (2027, 1, 1));
        for length in 0..whole.len() {
            let _ = of(&whole[..length]);
        }
        for at in 0..whole.len().min(300) {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = of(&changed);
            }
        }
        assert_eq!(of(b""), None);
        assert_eq!(of(b"-----BEGIN CERTIFICATE-----"), None);
    }
}
