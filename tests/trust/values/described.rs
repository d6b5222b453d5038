//! The operations as the running panel describes them, so that a new route is abused without anybody thinking of it.

use panel::domain::routes::{Route, Surface};
use serde_json::{Map, Value};

use super::world::World;

/// What of a request a value is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Field,
}

/// A parameter or a field, with its JSON types.
#[derive(Debug, Clone)]
pub struct Input {
    pub place: Place,
    pub name: String,
    pub kinds: Vec<String>,
}

impl Input {
    pub fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub route: &'static Route,
    pub method: String,
    pub inputs: Vec<Input>,
    /// What is taken as it is, but for names and references.
    pub example: Value,
    /// An HTML form, not JSON.
    pub is_form: bool,
    /// A body is described.
    pub has_body: bool,
}

impl Operation {
    pub fn fields(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| input.place == Place::Field)
    }

    /// The path with each place filled, one of them with this text.
    pub fn target(&self, world: &World, but: Option<(&str, &str)>) -> String {
        let mut target = self.route.path.to_owned();
        for input in self.inputs.iter().filter(|input| input.place == Place::Path) {
            let text = match but {
                Some((name, text)) if name == input.name => escaped(text),
                _ => world.place(self, &input.name),
            };
            target = target.replace(&format!("{{{}}}", input.name), &text);
        }
        target
    }
}

/// Every byte but letters and digits as `%XX`.
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
        escaped
    })
}

/// What `$ref` stands for.
fn whole<'a>(document: &'a Value, of: &'a Value) -> &'a Value {
    match of["$ref"].as_str() {
        Some(target) => whole(document, document.pointer(target.trim_start_matches('#')).unwrap()),
        None => of,
    }
}

fn kinds(document: &Value, schema: &Value) -> Vec<String> {
    let schema = whole(document, schema);
    match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => {
            let choices = ["anyOf", "oneOf"].into_iter().find_map(|name| schema[name].as_array());
            choices.into_iter().flatten().flat_map(|choice| kinds(document, choice)).collect()
        }
    }
}

/// Asks the running panel for its description.
pub fn operations(world: &World) -> Vec<Operation> {
    let document = world.get("/openapi.json").body;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, of) in item.as_object().unwrap() {
            let method = method.to_ascii_uppercase();
            let is_it = |route: &&Route| route.path == path && route.method.as_str() == method;
            let route = Surface::ALL.into_iter().flat_map(Surface::routes).find(is_it).unwrap();
            all.push(operation(&document, route, method, of));
        }
    }
    assert!(all.len() > 90, "{}", all.len());
    all
}

fn operation(document: &Value, route: &'static Route, method: String, of: &Value) -> Operation {
    let mut inputs = Vec::new();
    for parameter in of["parameters"].as_array().into_iter().flatten().map(|parameter| whole(document, parameter)) {
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            _ => continue,
        };
        let (name, kinds) = (parameter["name"].as_str().unwrap().to_owned(), kinds(document, &parameter["schema"]));
        inputs.push(Input { place, name, kinds });
    }
    let content = of["requestBody"]["content"].as_object();
    let is_form = content.is_some_and(|content| !content.contains_key("application/json"));
    let media = content.and_then(|content| content.values().next());
    let schema = media.map(|media| whole(document, &media["schema"]));
    for (name, of) in schema.and_then(|schema| schema["properties"].as_object()).into_iter().flatten() {
        inputs.push(Input { place: Place::Field, name: name.clone(), kinds: kinds(document, of) });
    }
    let example = media.and_then(|media| media.get("example")).cloned().unwrap_or_else(|| Map::new().into());
    Operation { route, method, inputs, example, is_form, has_body: media.is_some() }
}
