//! `panel openapi`: prints the interface description that the server answers at `/openapi.json`.

use super::output::{Outcome, print};
use crate::http::openapi;

pub fn run() -> Outcome {
    print(openapi::text().trim_end())
}
