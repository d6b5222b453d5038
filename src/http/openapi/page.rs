//! The description as one page: no script, no request beyond itself, readable without either.

use serde_json::Value;

const STYLE: &str = "
:root{color-scheme:light dark;--line:light-dark(#d8dde3,#3a414a);--soft:light-dark(#f4f6f8,#1d2228);--dim:light-dark(#59636e,#9aa4af)}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:minmax(14rem,20rem) minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;box-sizing:border-box;border-right:1px solid var(--line);font-size:.85rem}
nav ul{list-style:none;margin:0 0 1rem;padding:0}nav a{color:inherit;text-decoration:none}nav a:hover{text-decoration:underline}
main{padding:1rem 2rem 6rem;max-width:70rem}
code,pre{font-family:ui-monospace,monospace;font-size:.88em}pre{background:var(--soft);padding:.7rem;overflow:auto;border-radius:.4rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:0 .8rem}summary{cursor:pointer;padding:.45rem 0}
details[open]>summary{border-bottom:1px solid var(--line);margin-bottom:.6rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.4rem 0}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
.dim{color:var(--dim)}b.method{display:inline-block;min-width:4.2rem;font-size:.8rem}
.get{color:light-dark(#0b5cad,#6cb0f5)}.post{color:light-dark(#1a7f37,#5fd07c)}.put{color:light-dark(#9a6700,#e3b341)}.delete{color:light-dark(#b42318,#ff8a80)}
h4{margin:.9rem 0 .2rem}[id]{scroll-margin-top:3rem}@media(max-width:60rem){body{display:block}nav{position:static;height:auto;border:0}}";

pub fn render(document: &Value) -> String {
    let info = &document["info"];
    let tags = list(&document["tags"]);
    let nav: String = tags.iter().map(|tag| index(document, text(&tag["name"]))).collect();
    let sections: String = tags.iter().map(|tag| section(document, tag)).collect();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>panel: interface</title><style>{STYLE}</style></head><body><nav>{nav}<p><a href=\"#credentials\">Credentials</a><br><a href=\"#schemas\">Objects</a><br><a href=\"/openapi.json\">openapi.json</a></p></nav><main><h1>{} <span class=\"dim\">{}</span></h1>{}{}{sections}{}</main></body></html>",
        escape(text(&info["title"])),
        escape(text(&info["version"])),
        prose(text(&info["description"])),
        credentials(document),
        schemas(document),
    )
}

/// Path, method and operation of everything under a tag.
fn operations<'a>(document: &'a Value, tag: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(move |(_, _, operation)| operation["tags"][0] == tag)
}

fn index(document: &Value, tag: &str) -> String {
    let line = |(path, method, operation): (&str, &str, &Value)| {
        let id = escape(text(&operation["operationId"]));
        format!(
            "<li><a href=\"#{id}\" title=\"{}\">{} {}</a></li>",
            escape(path),
            verb(method),
            escape(text(&operation["summary"]))
        )
    };
    let lines: String = operations(document, tag).map(line).collect();
    format!("<b><a href=\"#{0}\">{0}</a></b><ul>{lines}</ul>", escape(tag))
}

fn section(document: &Value, tag: &Value) -> String {
    let name = text(&tag["name"]);
    let all: String =
        operations(document, name).map(|(path, method, of)| operation(document, path, method, of)).collect();
    let responses = document["components"]["responses"].as_object().into_iter().flatten();
    let refusals: String = responses
        .filter(|(key, _)| key.strip_prefix(name).is_some_and(|status| status.parse::<u16>().is_ok()))
        .map(|(key, response)| answer(document, key, key.trim_start_matches(name), response))
        .collect();
    let about = prose(text(&tag["description"]));
    format!("<section id=\"{0}\"><h2>{0}</h2>{about}{all}<h3>Refusals</h3>{refusals}</section>", escape(name))
}

/// A link leads into what is folded, not to it: then the browser unfolds it.
fn operation(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let id = escape(text(&operation["operationId"]));
    let summary = format!("{} <code>{}</code> {}", verb(method), escape(path), escape(text(&operation["summary"])));
    let responses = operation["responses"].as_object().into_iter().flatten();
    let (refusals, own): (Vec<_>, Vec<_>) = responses.partition(|(_, response)| response.get("$ref").is_some());
    let own: String = own.iter().map(|(status, response)| answer(document, "", status, response)).collect();
    let links: Vec<_> = refusals
        .iter()
        .map(|(status, response)| format!("<a href=\"#{}\">{status}</a>", escape(target(response))))
        .collect();
    format!(
        "<details><summary>{summary}</summary><div id=\"{id}\">{}<p class=\"dim\">{}</p>{}{}<h4>Answers</h4>{own}<p>Refuses with {}.</p></div></details>",
        prose(text(&operation["description"])),
        security(&operation["security"]),
        parameters(document, &operation["parameters"]),
        request(&operation["requestBody"]),
        links.join(", "),
    )
}

fn security(schemes: &Value) -> String {
    let one = |scheme: &Value| {
        let names: Vec<_> = scheme
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| format!("<a href=\"#credentials\">{}</a>", escape(name)))
            .collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
    };
    let all: Vec<_> = list(schemes).iter().map(one).collect();
    format!("Credential: {}", if all.is_empty() { "none".to_owned() } else { all.join(", or ") })
}

fn parameters(document: &Value, parameters: &Value) -> String {
    let row = |parameter: &Value| {
        let parameter = resolve(document, parameter);
        let place = text(&parameter["in"]);
        cells(text(&parameter["name"]), &kind(&parameter["schema"]), place, text(&parameter["description"]))
    };
    let rows: String = list(parameters).iter().map(row).collect();
    if rows.is_empty() { rows } else { format!("<h4>Parameters</h4><table>{rows}</table>") }
}

fn request(body: &Value) -> String {
    if body.is_null() {
        return String::new();
    }
    format!("<h4>Body</h4>{}", contents(body))
}

fn answer(document: &Value, id: &str, status: &str, response: &Value) -> String {
    let headers: Vec<_> = response["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, header)| {
            format!(
                "<code title=\"{}\">{}</code>",
                escape(text(&resolve(document, header)["description"])),
                escape(name)
            )
        })
        .collect();
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!("<p class=\"dim\">Headers: {}</p>", headers.join(", "))
    };
    let id = if id.is_empty() { String::new() } else { format!(" id=\"{}\"", escape(id)) };
    let about = escape(text(&response["description"]));
    format!(
        "<details><summary><b>{}</b> {about}</summary><div{id}>{headers}{}</div></details>",
        escape(status),
        contents(response)
    )
}

/// What a body or an answer carries, by content type.
fn contents(of: &Value) -> String {
    let media = of["content"].as_object().into_iter().flatten();
    let one = |(name, media): (&String, &Value)| {
        let example = media.get("example").map(|example| format!("<pre>{}</pre>", escape(&format!("{example:#}"))));
        format!("<p><code>{}</code></p>{}{}", escape(name), object(&media["schema"]), example.unwrap_or_default())
    };
    media.map(one).collect()
}

/// The properties of an object, and of what is in it; of anything else its type.
fn object(schema: &Value) -> String {
    if let Some(choices) =
        schema.get("anyOf").filter(|choices| list(choices).iter().any(|of| of.get("properties").is_some()))
    {
        return list(choices).iter().map(object).collect::<Vec<_>>().join("<p>or</p>");
    }
    let Some(properties) = schema["properties"].as_object() else { return format!("<p>{}</p>", kind(schema)) };
    let required = list(&schema["required"]);
    let row = |(name, property): (&String, &Value)| {
        let needed = if required.iter().any(|known| known == name) { "required" } else { "optional" };
        let inner = if property.get("properties").is_some() { object(property) } else { String::new() };
        cells(name, &format!("{}{inner}", kind(property)), needed, text(&property["description"]))
    };
    format!("<table>{}</table>", properties.iter().map(row).collect::<String>())
}

/// A row; the type is markup already.
fn cells(name: &str, kind: &str, needed: &str, about: &str) -> String {
    format!(
        "<tr><td><code>{}</code></td><td>{kind}</td><td class=\"dim\">{needed}</td><td>{}</td></tr>",
        escape(name),
        phrase(about)
    )
}

/// The type of a schema in words, as markup.
fn kind(schema: &Value) -> String {
    if schema.get("$ref").is_some() {
        let name = escape(target(schema));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(constant) = schema.get("const") {
        return format!("<code>{}</code>", escape(&constant.to_string()));
    }
    if let Some(words) = schema.get("enum") {
        let words: Vec<_> =
            list(words).iter().map(|word| format!("<code>{}</code>", escape(&word.to_string()))).collect();
        return words.join(" or ");
    }
    if let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        return list(choices).iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let one = |name: &Value| match name.as_str() {
        Some("array") if schema.get("items").is_some() => format!("list of {}", kind(&schema["items"])),
        Some(name) => escape(name),
        None => String::new(),
    };
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().map(one).collect::<Vec<_>>().join(" or "),
        Value::Null => "any".to_owned(),
        name => one(name),
    };
    let bounds = ["format", "minimum", "maximum", "maxLength", "pattern"];
    let bounds: String = bounds
        .iter()
        .filter_map(|key| Some((key, schema.get(*key)?)))
        .filter(|(_, value)| !matches!(value.as_str(), Some("int64" | "uint32" | "double")))
        .map(|(key, value)| {
            format!(" <span class=\"dim\">{key} {}</span>", escape(value.as_str().unwrap_or(&value.to_string())))
        })
        .collect();
    name + &bounds
}

fn credentials(document: &Value) -> String {
    let schemes = document["components"]["securitySchemes"].as_object().into_iter().flatten();
    let row = |(name, scheme): (&String, &Value)| {
        let place = match scheme["type"].as_str() {
            Some("http") => "<code>Authorization: Bearer</code>".to_owned(),
            _ => format!("{} <code>{}</code>", escape(text(&scheme["in"])), escape(text(&scheme["name"]))),
        };
        cells(name, &place, "", text(&scheme["description"]))
    };
    format!(
        "<section id=\"credentials\"><h2>Credentials</h2><table>{}</table></section>",
        schemes.map(row).collect::<String>()
    )
}

fn schemas(document: &Value) -> String {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let one = |(name, schema): (&String, &Value)| {
        let about = prose(text(&schema["description"]));
        format!(
            "<details><summary><code>{0}</code></summary><div id=\"{0}\">{about}{1}</div></details>",
            escape(name),
            object(schema)
        )
    };
    format!("<section id=\"schemas\"><h2>Objects</h2>{}</section>", schemas.map(one).collect::<String>())
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

/// The last part of a reference.
fn target(value: &Value) -> &str {
    text(&value["$ref"]).rsplit('/').next().unwrap_or_default()
}

fn verb(method: &str) -> String {
    format!("<b class=\"method {0}\">{1}</b>", escape(method), escape(&method.to_ascii_uppercase()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Paragraphs.
fn prose(text: &str) -> String {
    text.split("\n\n").filter(|part| !part.is_empty()).map(|part| format!("<p>{}</p>", phrase(part))).collect()
}

/// What stands between backticks is code.
fn phrase(text: &str) -> String {
    let part =
        |(at, part): (usize, &str)| if at % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) };
    text.split('`').enumerate().map(part).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
