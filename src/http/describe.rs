//! What the interface description says of a route beyond its row: words, parameters, bodies. Each surface's describe.rs
//! writes it, openapi.rs reads it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Makes the schema of a body.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What an answer carries.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    Json(Shape),
    /// A page for people.
    Html,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A positive integer.
    Id,
    Integer {
        least: i64,
        most: i64,
    },
    Text,
    /// `true`, `false`, `1` or `0`.
    Flag,
    Word(&'static [&'static str]),
    /// `YYYY-MM-DD`
    Date,
    /// RFC 3339.
    Instant,
    /// 16 hex digits.
    Hex,
    /// A positive integer, or 16 hex digits.
    AnyKeyId,
}

#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub text: &'static str,
}

pub const fn parameter(name: &'static str, kind: Kind, text: &'static str) -> Parameter {
    Parameter { name, kind, text }
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    pub summary: &'static str,
    pub notes: &'static str,
    pub query: &'static [Parameter],
    /// Parameters of the path that are not what their names say: `{id}` is a positive integer, all others are texts.
    pub path: &'static [Parameter],
    /// The JSON body.
    pub body: Option<Shape>,
    /// A body, as JSON.
    pub example: &'static str,
    /// The body is an HTML form with these fields.
    pub form: &'static [&'static str],
    pub status: u16,
    pub content: Content,
    /// Answers of its own beside that one.
    pub also: &'static [(u16, Content)],
    /// Refusals that its row does not imply.
    pub refuses: &'static [u16],
    /// The security scheme of a route whose row asks for nothing.
    pub secured_by: Option<&'static str>,
    /// A header of its success.
    pub header: Option<(&'static str, &'static str)>,
}

pub const fn answers(summary: &'static str, status: u16, shape: Shape) -> Description {
    carries(summary, status, Content::Json(shape))
}

pub const fn carries(summary: &'static str, status: u16, content: Content) -> Description {
    Description {
        summary,
        notes: "",
        query: &[],
        path: &[],
        body: None,
        example: "",
        form: &[],
        status,
        content,
        also: &[],
        refuses: &[],
        secured_by: None,
        header: None,
    }
}

impl Description {
    pub const fn notes(mut self, text: &'static str) -> Self {
        self.notes = text;
        self
    }

    pub const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    pub const fn path(mut self, path: &'static [Parameter]) -> Self {
        self.path = path;
        self
    }

    pub const fn takes(mut self, body: Shape, example: &'static str) -> Self {
        self.body = Some(body);
        self.example = example;
        self
    }

    pub const fn form(mut self, fields: &'static [&'static str]) -> Self {
        self.form = fields;
        self
    }

    pub const fn also(mut self, answers: &'static [(u16, Content)]) -> Self {
        self.also = answers;
        self
    }

    pub const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refuses = statuses;
        self
    }

    pub const fn secured_by(mut self, scheme: &'static str) -> Self {
        self.secured_by = Some(scheme);
        self
    }

    pub const fn header(mut self, name: &'static str, text: &'static str) -> Self {
        self.header = Some((name, text));
        self
    }
}

/// How a surface speaks, beyond its rows.
#[derive(Debug, Clone, Copy)]
pub struct Face {
    pub title: &'static str,
    pub about: &'static str,
    /// The body of its refusals with this status, without `denied`; `None`: it never refuses so.
    pub refusal: fn(u16) -> Option<Schema>,
    pub described: &'static [(&'static str, Description)],
}

/// The schema of a type, by its name.
pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of a type that has one use, in place.
pub fn body<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// An object with these fields, all of them there.
pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Schema {
    let properties: Map<_, _> = fields.into_iter().map(|(name, field)| (name.to_owned(), field.to_value())).collect();
    let required: Vec<_> = properties.keys().cloned().collect();
    schema(json!({"type": "object", "properties": properties, "required": required}))
}

/// The same with none of the fields needed.
pub fn optional(mut object: Schema) -> Schema {
    object.remove("required");
    object
}

/// The same with these fields needed.
pub fn needs(mut object: Schema, fields: &[&str]) -> Schema {
    object.insert("required".to_owned(), json!(fields));
    object
}

/// An object with the fields of two.
pub fn both(mut one: Schema, other: &Schema) -> Schema {
    for key in ["properties", "required"] {
        match (one.get_mut(key), other.get(key)) {
            (Some(Value::Object(have)), Some(Value::Object(more))) => have.extend(more.clone()),
            (Some(Value::Array(have)), Some(Value::Array(more))) => have.extend(more.iter().cloned()),
            (None, Some(more)) => {
                one.insert(key.to_owned(), more.clone());
            }
            _ => {}
        }
    }
    one
}

/// From its JSON; what is none says nothing.
pub fn schema(value: Value) -> Schema {
    value.try_into().unwrap_or_default()
}

pub fn text(about: &str) -> Schema {
    schema(json!({"type": "string", "description": about}))
}

pub fn number(about: &str) -> Schema {
    schema(json!({"type": "integer", "format": "int64", "description": about}))
}

pub fn flag(about: &str) -> Schema {
    schema(json!({"type": "boolean", "description": about}))
}

pub fn is(value: impl Into<Value>) -> Schema {
    schema(json!({"const": value.into()}))
}

pub fn one_of(words: &[&str]) -> Schema {
    schema(json!({"type": "string", "enum": words}))
}

/// It may be null too.
pub fn or_null(mut of: Schema) -> Schema {
    if let Some(kind) = of.get("type").cloned() {
        of.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Value::Array(words)) = of.get_mut("enum") {
        words.push(Value::Null);
    }
    of
}
