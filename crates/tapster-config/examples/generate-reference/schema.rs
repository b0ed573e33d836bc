//! The JSON schema of `tapster.toml`, for editors that complete and check TOML.

use serde_json::{Map, Value, json};
use tapster_config::OPTIONS;
use tapster_config::kind::Kind;
use tapster_config::option::{Fallback, Group, List, OptionSpec};

const DURATION: &str = r"^[0-9]+(\.[0-9]+)? *(ms|s|m|h)?$";
const SIZE: &str = r"^[0-9]+(\.[0-9]+)? *([kKmMgG]([iI]?[bB])?|[bB])?$";
const MODE: &str = r"^(0o)?[0-7]{1,4}$";

/// The whole schema, indented, with a line feed at the end.
pub fn schema() -> String {
    let options = OPTIONS.iter().filter(|option| option.in_file());
    let mut properties: Map<String, Value> =
        options.map(|option| (option.name.to_owned(), described(option))).collect();
    // What `tapster front` reads in the place of the rest.
    properties.insert("front".to_owned(), json!({ "$ref": "#" }));
    properties.insert("groups".to_owned(), groups());
    properties.insert("sites".to_owned(), sites());
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "tapster.toml",
        "description": "Options of tapster, the WSGI application server; also the table [tool.tapster] of pyproject.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

/// Groups of upstreams, by their names.
fn groups() -> Value {
    let options = OPTIONS.iter().filter(|option| option.group == Group::Upstreams);
    let properties: Map<String, Value> =
        options.map(|option| (option.name.to_owned(), described(option))).collect();
    json!({
        "description": "Of tapster front: groups of upstreams with options of their own, by name.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "required": ["upstream"],
            "properties": properties,
        },
    })
}

/// Sites, by the names of their hosts.
fn sites() -> Value {
    let texts =
        json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] });
    let files = json!({ "anyOf": [
        { "type": "string" },
        { "type": "array", "items": { "type": "string" } },
        { "type": "object", "additionalProperties": { "type": "string" } },
    ] });
    let mut route = routing();
    route.insert("static".to_owned(), json!({ "description": "A directory with files.", "type": "string" }));
    let mut site = routing();
    site.insert("hosts".to_owned(), json!({ "description": "More names.", "anyOf": texts["anyOf"] }));
    site.insert(
        "static".to_owned(),
        json!({ "description": "Files, PREFIX=DIR, looked for first.", "anyOf": files["anyOf"] }),
    );
    let routes = json!({
        "description": "What answers for paths with a prefix; the longest decides.",
        "type": "object",
        "additionalProperties": { "type": "object", "additionalProperties": false, "properties": route },
    });
    site.insert("routes".to_owned(), routes);
    json!({
        "description": "Of tapster front: sites by host: a name, *.name for all below it, or default.",
        "type": "object",
        "additionalProperties": { "type": "object", "additionalProperties": false, "properties": site },
    })
}

/// Who answers.
fn routing() -> Map<String, Value> {
    let texts = json!([{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]);
    let all = json!({
        "upstream": { "description": "The name of a group, or URLs of servers.", "anyOf": texts },
        "redirect": { "description": "Where clients are sent: https, a URL or a path.", "type": "string" },
        "code": { "description": "The status of the redirect.", "enum": [301, 302, 303, 307, 308] },
        "answer": {
            "description": "A status, and a text behind it.",
            "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 200, "maximum": 599 }],
        },
        "strip-prefix": { "description": "The upstream gets the path without the prefix.", "type": "boolean" },
    });
    let mut all = all.as_object().cloned().unwrap_or_default();
    let overrides = OPTIONS.iter().filter(|option| option.group == Group::Overrides);
    all.extend(overrides.map(|option| (option.name.to_owned(), described(option))));
    all
}

fn described(option: &OptionSpec) -> Value {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), json!(description(option)));
    if let (Fallback::Value(text), List::One) = (&option.fallback, option.list) {
        schema.insert("default".to_owned(), text.parse::<u64>().map_or(json!(text), |number| json!(number)));
    }
    let alternatives = alternatives(option);
    match alternatives.as_slice() {
        [Value::Object(only)] => schema.extend(only.clone()),
        _ => drop(schema.insert("anyOf".to_owned(), json!(alternatives))),
    }
    Value::Object(schema)
}

fn description(option: &OptionSpec) -> String {
    match option.fallback {
        Fallback::Words(words) => format!("{}. Default: {words}.", option.help),
        Fallback::Value(_) => format!("{}.", option.help),
    }
}

fn alternatives(option: &OptionSpec) -> Vec<Value> {
    let single = single(&option.kind);
    if option.list == List::One {
        return single;
    }
    let items = if let [only] = single.as_slice() { only.clone() } else { json!({ "anyOf": single }) };
    let mut all = single;
    all.push(json!({ "type": "array", "items": items }));
    if matches!(option.kind, Kind::Pair(_)) {
        let values = json!({ "type": ["string", "number", "boolean"] });
        all.insert(0, json!({ "type": "object", "additionalProperties": values }));
    }
    all
}

/// What one value may be.
fn single(kind: &Kind) -> Vec<Value> {
    let texts = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let numbers = |least: u64, most: u64| json!({ "type": "integer", "minimum": least, "maximum": most });
    match kind {
        Kind::App(_)
        | Kind::Path(_)
        | Kind::Glob(_)
        | Kind::Bind(_)
        | Kind::Place(_)
        | Kind::Peers(_)
        | Kind::Text { .. } => {
            vec![json!({ "type": "string" })]
        }
        Kind::Pair(_) => vec![texts("^[^=]+=")],
        Kind::Count { most, .. } => vec![
            numbers(1, *most),
            json!({ "const": "auto" }),
            json!({ "type": "string", "pattern": "^[0-9]+\\.\\.[0-9]+$" }),
        ],
        Kind::Integer { least, most, .. } => vec![numbers(*least, *most)],
        Kind::Size { least, most, .. } => vec![numbers(*least, *most), texts(SIZE)],
        Kind::Duration { least, most, .. } => {
            let seconds =
                json!({ "type": "number", "minimum": least.as_secs_f64(), "maximum": most.as_secs_f64() });
            vec![seconds, texts(DURATION)]
        }
        Kind::Mode(_) => vec![texts(MODE), json!({ "type": "integer", "minimum": 0 })],
        Kind::Flag(_) => vec![json!({ "type": "boolean" }), json!({ "enum": ["on", "off"] })],
        Kind::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            let is_switch = words.contains(&"on") && words.contains(&"off");
            let mut all = vec![json!({ "enum": words })];
            all.extend(is_switch.then(|| json!({ "type": "boolean" })));
            all
        }
        Kind::ConfigFile | Kind::Imported(_) | Kind::Switch(_) => Vec::new(),
    }
}
