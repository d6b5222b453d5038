//! The interface description (OpenAPI 3.1) and the page that shows it. Nothing is written down twice: paths, methods and
//! needs come from the route table, bodies from the types that handlers read and write, words from each surface's
//! describe.rs. Made once, the same bytes for everybody.

mod examples;
mod operation;
mod page;
mod parts;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::describe::{Description, Face};
use super::{admin, billing, external, panel};
use crate::domain::routes::{Route, Surface};

static DOCUMENT: LazyLock<Value> = LazyLock::new(assemble);
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{}\n", *DOCUMENT));
static PAGE: LazyLock<String> = LazyLock::new(|| page::render(&DOCUMENT));

pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as it is served and printed.
pub fn text() -> &'static str {
    &TEXT
}

/// The document as a page for people.
pub fn page() -> &'static str {
    &PAGE
}

pub fn face(surface: Surface) -> &'static Face {
    match surface {
        Surface::External => &external::describe::FACE,
        Surface::Panel => &panel::describe::FACE,
        Surface::Billing => &billing::describe::FACE,
        Surface::Admin => &admin::describe::FACE,
    }
}

fn description_of(route: &Route) -> Option<&'static Description> {
    let described = face(route.surface).described;
    described.iter().find(|(action, _)| *action == route.action).map(|(_, description)| description)
}

/// Makes schemas: those that we write show everything we send, those that we read what we look for.
struct Shapes {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

impl Shapes {
    fn new() -> Self {
        let settings = |settings: SchemaSettings| {
            settings.with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let written = settings(SchemaSettings::draft2020_12().for_serialize()).into_generator();
        let read = settings(SchemaSettings::draft2020_12()).into_generator();
        Self { written, read }
    }

    fn components(self) -> Map<String, Value> {
        let mut all = Map::new();
        let Self { mut written, mut read } = self;
        for (name, schema) in read.take_definitions(false) {
            all.insert(name, parts::open(schema));
        }
        for (name, schema) in written.take_definitions(false) {
            all.insert(name, parts::closed(schema));
        }
        all.extend(parts::refusal_schemas());
        all.insert("Denied".to_owned(), parts::denied());
        all.sort_keys();
        all
    }
}

fn assemble() -> Value {
    let mut shapes = Shapes::new();
    let mut paths = Map::new();
    for route in Surface::ALL.into_iter().flat_map(Surface::routes).filter(|route| route.served) {
        // What is missing here fails a test, which names it.
        let Some(description) = description_of(route) else { continue };
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_ascii_lowercase()] = operation::describe(route, description, &mut shapes);
    }
    let tag = |surface| {
        let face = face(surface);
        json!({"name": face.title, "description": face.about})
    };
    let mut document = json!({
        "openapi": "3.1.0",
        "info": parts::info(),
        "servers": [{"url": "/", "description": "This panel"}],
        "tags": Surface::ALL.map(tag),
        "paths": paths,
        "components": {
            "schemas": shapes.components(),
            "responses": parts::responses(),
            "headers": parts::headers(),
            "parameters": parts::parameters(),
            "securitySchemes": parts::security_schemes(),
        },
    });
    examples::fill(&mut document);
    document
}
