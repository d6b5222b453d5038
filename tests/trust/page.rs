//! tests/TRUST.md names tests and commands; what it names is there.

use crate::supply::sources;

const PAGE: &str = include_str!("../TRUST.md");

/// What stands between backticks.
fn quoted() -> Vec<&'static str> {
    PAGE.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_test_that_the_page_names_exists() {
    let code = sources("tests") + &sources("src");
    let names: Vec<_> =
        quoted().into_iter().filter(|word| word.matches('_').count() >= 3 && !word.contains(' ')).collect();
    assert!(names.len() > 60, "the page names {} tests", names.len());
    let missing: Vec<_> = names
        .into_iter()
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|name| !code.contains(&format!("fn {}(", name.rsplit("::").next().unwrap())))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn no_figure_is_left_open() {
    let open: Vec<_> = PAGE.split_whitespace().filter(|word| word.starts_with('@')).collect();
    assert_eq!(open, [""; 0]);
}

#[test]
fn every_file_that_the_page_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |word: &&str| ["tests/", "src/", "systemd/"].iter().any(|folder| word.starts_with(folder));
    let files: Vec<_> = quoted().into_iter().filter(is_path).filter_map(|word| word.split(' ').next()).collect();
    assert!(files.len() > 10, "the page names {} files", files.len());
    let missing: Vec<_> = files.into_iter().filter(|file| !root.join(file).exists()).collect();
    assert_eq!(missing, [""; 0]);
}
