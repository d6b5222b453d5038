//! A page of metrics, read as strictly as OpenMetrics 1.0 is written.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub unit: Option<String>,
}

/// One series: the sample's name, and its labels in the order of the page.
pub type Series = (String, Vec<(String, String)>);

#[derive(Debug, Default)]
pub struct Page {
    pub text: String,
    pub families: BTreeMap<String, Family>,
    pub samples: BTreeMap<Series, f64>,
}

pub fn series(name: &str, labels: &[(&str, &str)]) -> Series {
    (name.to_owned(), labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

impl Page {
    /// `None`: there is no such series.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.samples.get(&series(name, labels)).copied()
    }

    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in\n{}", self.text))
    }

    /// All series of a sample.
    pub fn all(&self, name: &str) -> BTreeMap<Vec<(String, String)>, f64> {
        let of_name = self.samples.iter().filter(|((known, _), _)| known == name);
        of_name.map(|((_, labels), value)| (labels.clone(), *value)).collect()
    }

    /// What a label is anywhere on the page.
    pub fn values_of(&self, label: &str) -> BTreeSet<String> {
        let labels = self.samples.keys().flat_map(|(_, labels)| labels);
        labels.filter(|(name, _)| name == label).map(|(_, value)| value.clone()).collect()
    }

    /// Which samples of these families are more than on an earlier page, and by how much.
    pub fn since(&self, earlier: &Self, samples: &[&str]) -> BTreeMap<Series, f64> {
        let ours = self.samples.iter().filter(|((name, _), _)| samples.contains(&name.as_str()));
        let grown = ours.map(|(series, value)| (series.clone(), value - earlier.samples.get(series).unwrap_or(&0.0)));
        grown.filter(|(_, more)| *more != 0.0).collect()
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
        let mut page = Page { text: text.to_owned(), ..Page::default() };
        let mut current: Option<String> = None;
        for line in lines.split_terminator('\n') {
            let told = |what: &str| format!("{what}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| told("no help"))?;
                if !is_name(name) || help.trim() != help || !help.ends_with('.') {
                    return Err(told("a bad help"));
                }
                let family = Family { kind: String::new(), help: help.to_owned(), unit: None };
                if page.families.insert(name.to_owned(), family).is_some() {
                    return Err(told("a family twice"));
                }
                current = Some(name.to_owned());
                continue;
            }
            let name = current.clone().ok_or_else(|| told("before any family"))?;
            let family = page.families.get_mut(&name).ok_or_else(|| told("no family"))?;
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let kind = rest.strip_prefix(&format!("{name} ")).ok_or_else(|| told("a type of another family"))?;
                if !matches!(kind, "counter" | "gauge" | "histogram" | "info") || !family.kind.is_empty() {
                    return Err(told("a bad type"));
                }
                family.kind = kind.to_owned();
                continue;
            }
            if let Some(rest) = line.strip_prefix("# UNIT ") {
                let unit = rest.strip_prefix(&format!("{name} ")).ok_or_else(|| told("a unit of another family"))?;
                if !name.ends_with(&format!("_{unit}")) || family.unit.is_some() {
                    return Err(told("a bad unit"));
                }
                family.unit = Some(unit.to_owned());
                continue;
            }
            let (series, value) = sample(line).ok_or_else(|| told("not a sample"))?;
            let suffix = series.0.strip_prefix(&name).ok_or_else(|| told("a sample of another family"))?;
            let fits = match family.kind.as_str() {
                "counter" => suffix == "_total" && value >= 0.0,
                "gauge" => suffix.is_empty(),
                "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count") && value >= 0.0,
                "info" => suffix == "_info" && value == 1.0,
                _ => false,
            };
            if !fits {
                return Err(told("a sample that is none of its type's"));
            }
            if page.samples.insert(series, value).is_some() {
                return Err(told("a series twice"));
            }
        }
        match page.families.iter().find(|(_, family)| family.kind.is_empty()) {
            Some((name, _)) => Err(format!("{name} has no type")),
            None => page.check_histograms().map(|()| page),
        }
    }

    /// Each has its sum and its count; the buckets grow up to the count.
    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<Series, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            let Some(family) = name.strip_suffix("_bucket").filter(|family| self.families.contains_key(*family)) else {
                continue;
            };
            let (bound, rest): (Vec<_>, Vec<_>) = labels.iter().cloned().partition(|(label, _)| label == "le");
            let bound = bound.first().map(|(_, bound)| bound.as_str()).ok_or("a bucket without le")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().map_err(|_| "a bad le")? };
            buckets.entry((family.to_owned(), rest)).or_default().push((bound, *value));
        }
        for ((family, labels), mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let count = self.samples.get(&(format!("{family}_count"), labels.clone()));
            let grows = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
            let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, count)| *count);
            let sum = self.samples.get(&(format!("{family}_sum"), labels.clone()));
            if !grows || last.is_none() || last != count.copied() || sum.is_none() {
                return Err(format!("{family} {labels:?} contradicts itself"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `name{label="value",…} value`, nothing more and nothing between.
fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at_checked(end)?;
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(label) || labels.iter().any(|(known, _)| known == label) {
                return None;
            }
            labels.push((label.to_owned(), value));
            match after.split_at_checked(1)? {
                (",", after) => rest = after,
                ("}", after) => {
                    rest = after;
                    break;
                }
                _ => return None,
            }
        }
    }
    let number = rest.strip_prefix(' ')?;
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'-' | b'+'));
    let value = number.parse().ok().filter(|_| plain)?;
    is_name(name).then(|| ((name.to_owned(), labels), value))
}

/// Up to the closing quote, unescaped; and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\') => value.push(c),
                _ => return None,
            },
            c => value.push(c),
        }
    }
    None
}

#[test]
fn what_is_no_page_is_told_from_one() {
    let good = "# HELP a_seconds Help.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds{b=\"c\\\"\",d=\"\"} 5e-5\n# EOF\n";
    let page = Page::parse(good).unwrap();
    assert_eq!(page.value("a_seconds", &[("b", "c\""), ("d", "")]), 0.000_05);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("Help.", "Help"),
        ("# TYPE a_seconds gauge\n", ""),
        ("gauge", "counter"),
        ("gauge", "thing"),
        ("seconds seconds", "seconds bytes"),
        ("a_seconds{", "b_seconds{"),
        ("d=\"\"", "b=\"\""),
        ("d=\"\"", "d=\"\","),
        ("c\\\"", "c\""),
        ("c\\\"", "c\\x"),
        ("} 5", "}  5"),
        ("5e-5", "NaN"),
        ("5e-5", "5e-5 1795377189"),
        ("5e-5\n", "5e-5\na_seconds{b=\"c\\\"\",d=\"\"} 1\n"),
        ("5e-5\n", "5e-5\n\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(bad != good && Page::parse(&bad).is_err(), "taken for a page:\n{bad}");
    }
    let good = "# HELP a A.\n# TYPE a histogram\na_sum 1.5\na_count 2\na_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 2\n# EOF\n";
    assert_eq!(Page::parse(good).unwrap().value("a_count", &[]), 2.0);
    for (from, to) in [("a_count 2", "a_count 3"), ("a_sum 1.5\n", ""), ("+Inf", "2.0"), ("\"} 1", "\"} 3")] {
        let bad = good.replacen(from, to, 1);
        assert!(bad != good && Page::parse(&bad).is_err(), "taken for a page:\n{bad}");
    }
}
