//! What was measured, by name, one figure for each round.

use std::collections::BTreeMap;

use serde_json::{Value, json};

#[derive(Default)]
pub struct Series(BTreeMap<&'static str, Vec<f64>>);

impl Series {
    /// Keeps a figure and says it at once.
    pub fn add(&mut self, name: &'static str, figure: f64) {
        eprintln!("  {name}: {}", figure_text(figure));
        self.0.entry(name).or_default().push(figure);
    }

    pub fn of(&self, name: &str) -> &[f64] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// NaN where it was not measured.
    pub fn median(&self, name: &str) -> f64 {
        median(self.of(name).to_vec())
    }

    pub fn least(&self, name: &str) -> f64 {
        self.of(name).iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median of what the rounds give each for itself: a round's noise hits both of its sides.
    pub fn ratio(&self, of: &str, to: &str) -> f64 {
        median(self.ratios(of, to))
    }

    /// Of each round.
    pub fn ratios(&self, of: &str, to: &str) -> Vec<f64> {
        self.of(of).iter().zip(self.of(to)).map(|(of, to)| of / to).collect()
    }

    pub fn json(&self) -> Value {
        json!(self.0)
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.is_empty() {
        return f64::NAN;
    }
    match figures.len() % 2 {
        0 => f64::midpoint(figures[middle - 1], figures[middle]),
        _ => figures[middle],
    }
}

/// Three digits that matter, more where the number has them.
pub fn figure_text(figure: f64) -> String {
    match figure.abs() {
        size if size.is_nan() => "-".to_owned(),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}
