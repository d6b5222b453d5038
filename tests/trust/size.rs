//! How much of it: little in `cargo test`, much in `tests/trust/run`.

use std::io::Write;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The long form runs.
pub fn is_long() -> bool {
    std::env::var_os("PANEL_TRUST").is_some_and(|value| value == "long")
}

pub fn of<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// The same random numbers every time, unless another seed is asked for; `name` keeps the tests apart.
pub fn random(name: &str) -> StdRng {
    let seed = std::env::var("PANEL_TRUST_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let name = name.as_bytes();
    let length = name.len().min(24);
    bytes[8..8 + length].copy_from_slice(&name[..length]);
    StdRng::from_seed(bytes)
}

/// Says what was measured, past the test runner, which hides what a passing test prints: tests/TRUST.md is made of these.
macro_rules! tell {
    ($($figures:tt)*) => {
        crate::size::figures(&format!($($figures)*))
    };
}

pub fn figures(line: &str) {
    std::io::stderr().write_all(format!("figures: {line}\n").as_bytes()).unwrap();
}
